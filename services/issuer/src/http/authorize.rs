//! The page where people sign in or create an account.

use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use gryt_model::MemberId;
use serde::Deserialize;

use super::request::{AuthorizeRequest, Invalid, Parameters, Prompt};
use crate::accounts::{self, Account, AccountName, Password, PasswordRefusal};
use crate::clock;
use crate::codes::{self, Grant};
use crate::database::DatabaseError;
use crate::issuer::{Issuer, Throttles};
use crate::pages::{Face, Field, Problem, SignInPage};
use crate::passwords::Busy;
use crate::random::random;
use crate::throttle::Wait;

type Asked = Result<Query<Parameters>, QueryRejection>;

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Filled {
    action: Action,
    name: String,
    password: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    SignIn,
    Create,
}

/// Shows the form.
pub(super) async fn show(State(issuer): State<Issuer>, asked: Asked) -> Response {
    let request = match check(&issuer, asked) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let face = match request.prompt {
        Prompt::SignIn => Face::SignIn,
        Prompt::Create => Face::Create,
    };
    let name = request.login_hint.clone().unwrap_or_default();
    form(&issuer, &request, face, &name, None)
}

/// Takes the form: sends the browser back with a code, or shows what is wrong.
pub(super) async fn submit(
    State(issuer): State<Issuer>,
    connection: ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    asked: Asked,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    let request = match check(&issuer, asked) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    if super::from_another_site(&headers, &issuer.shared.config.origins) {
        return super::dead_end(
            StatusCode::FORBIDDEN,
            "This form came from elsewhere",
            "Another site tried to sign you in here. Nothing was done.",
        );
    }
    let Ok(Form(filled)) = filled else {
        return super::dead_end(
            StatusCode::BAD_REQUEST,
            "This form is broken",
            "Something is missing in it. Go back and try again.",
        );
    };
    let address = super::peer(connection);
    let (face, name) = (Face::from(filled.action), filled.name.clone());
    let now = clock::now();
    let outcome = match filled.action {
        Action::SignIn => sign_in(&issuer, filled, address, now).await,
        Action::Create => create(&issuer, filled, address, now).await,
    };
    let account = match outcome {
        Ok(account) => account,
        Err(Refused::Problem(problem)) => {
            return form(&issuer, &request, face, &name, Some(problem));
        }
        Err(Refused::Failed(error)) => return super::failed(&error),
    };
    let grant = Grant {
        account: account.id,
        redirect_uri: request.return_to.text.clone(),
        challenge: request.challenge.clone(),
        nonce: request.nonce.clone(),
    };
    let made = issuer
        .shared
        .database
        .write_later(move |transaction| codes::make(transaction, &grant, now))
        .await;
    match made {
        Ok(code) => super::see_other(&request.return_to.with_code(&code)),
        Err(error) => super::failed(&error),
    }
}

enum Refused {
    Problem(Problem),
    Failed(DatabaseError),
}

impl From<DatabaseError> for Refused {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error)
    }
}

impl From<Busy> for Refused {
    fn from(Busy: Busy) -> Self {
        Self::Problem(Problem {
            status: StatusCode::SERVICE_UNAVAILABLE,
            field: Field::Whole,
            text: "Too many people are signing in right now. Try again in a moment.".to_owned(),
            retry_after: Some(Duration::from_secs(2)),
        })
    }
}

impl From<Wait> for Refused {
    fn from(Wait(wait): Wait) -> Self {
        Self::Problem(Problem {
            status: StatusCode::TOO_MANY_REQUESTS,
            field: Field::Whole,
            text: format!("Too many tries. Wait {} and try again.", in_words(wait)),
            retry_after: Some(wait),
        })
    }
}

impl From<Action> for Face {
    fn from(action: Action) -> Self {
        match action {
            Action::SignIn => Self::SignIn,
            Action::Create => Self::Create,
        }
    }
}

async fn sign_in(
    issuer: &Issuer,
    filled: Filled,
    address: IpAddr,
    now: SystemTime,
) -> Result<Account, Refused> {
    if filled.name.trim().is_empty() {
        return Err(problem(Field::Name, "Enter your name."));
    }
    if filled.password.is_empty() {
        return Err(problem(Field::Password, "Enter your password."));
    }
    // One text for an unknown name and a wrong password: the form does not tell who is here.
    let wrong = || {
        Refused::Problem(Problem {
            status: StatusCode::UNAUTHORIZED,
            field: Field::Whole,
            text: "That name and password do not fit together.".to_owned(),
            retry_after: None,
        })
    };
    let Some(name) = AccountName::parse(&filled.name) else {
        return Err(wrong());
    };
    if filled.password.len() > Password::MAX_BYTES {
        return Err(wrong());
    }
    let key = name.key.clone();
    with_throttles(issuer, |throttles| {
        throttles.sign_ins_by_address.take(&address, now)?;
        throttles
            .sign_ins_by_account
            .take(&key, now)
            .inspect_err(|_| throttles.sign_ins_by_address.give_back(&address))
    })?;
    let found = issuer
        .shared
        .database
        .read_later(move |connection| accounts::by_name(connection, &name))
        .await?;
    let (account, hash) = found.unzip();
    let fits = issuer
        .shared
        .passwords
        .verify(Password::typed(filled.password), hash)
        .await?;
    let Some(account) = account.filter(|_| fits) else {
        return Err(wrong());
    };
    with_throttles(issuer, |throttles| {
        throttles.sign_ins_by_address.give_back(&address);
        throttles.sign_ins_by_account.forget(&key);
    });
    Ok(account)
}

async fn create(
    issuer: &Issuer,
    filled: Filled,
    address: IpAddr,
    now: SystemTime,
) -> Result<Account, Refused> {
    let Some(name) = AccountName::parse(&filled.name) else {
        return Err(problem(
            Field::Name,
            "A name is 1 to 32 characters that can be seen.",
        ));
    };
    let password = Password::chosen(filled.password).map_err(|refusal| match refusal {
        PasswordRefusal::TooShort => problem(
            Field::Password,
            "Choose a password of at least 8 characters.",
        ),
        PasswordRefusal::TooLong => problem(Field::Password, "That password is too long."),
    })?;
    with_throttles(issuer, |throttles| {
        throttles.accounts_by_address.take(&address, now)
    })?;
    let database = &issuer.shared.database;
    let wanted = name.clone();
    let taken = database
        .read_later(move |connection| accounts::is_taken(connection, &wanted))
        .await?;
    if taken {
        return Err(name_taken(&name));
    }
    let hash = issuer.shared.passwords.hash(password).await?;
    let id = MemberId::from_random(random()).to_string();
    let wanted = name.clone();
    let made = database
        .write_later(move |transaction| accounts::create(transaction, &id, &wanted, &hash, now))
        .await?;
    // Somebody else may have been faster while we hashed.
    let account = made.ok_or_else(|| name_taken(&name))?;
    tracing::info!("account created");
    Ok(account)
}

fn name_taken(name: &AccountName) -> Refused {
    Refused::Problem(Problem {
        status: StatusCode::CONFLICT,
        field: Field::Name,
        text: format!(
            "Somebody here is called {} already. Choose another name.",
            name.shown
        ),
        retry_after: None,
    })
}

fn problem(field: Field, text: &str) -> Refused {
    Refused::Problem(Problem {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        field,
        text: text.to_owned(),
        retry_after: None,
    })
}

fn with_throttles<R>(issuer: &Issuer, change: impl FnOnce(&mut Throttles) -> R) -> R {
    let mut throttles = issuer
        .shared
        .throttles
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    change(&mut throttles)
}

#[expect(
    clippy::result_large_err,
    reason = "the refusal is the response itself, once per page"
)]
fn check(issuer: &Issuer, asked: Asked) -> Result<AuthorizeRequest, Response> {
    const TITLE: &str = "This link does not work";
    let Ok(Query(parameters)) = asked else {
        return Err(super::dead_end(
            StatusCode::BAD_REQUEST,
            TITLE,
            "The link that led here is damaged. Go back to the app and sign in again.",
        ));
    };
    parameters
        .check(&issuer.shared.config.origins)
        .map_err(|invalid| match invalid {
            Invalid::DeadEnd(text) => super::dead_end(StatusCode::BAD_REQUEST, TITLE, text),
            Invalid::Told(location) => super::see_other(&location),
        })
}

fn form(
    issuer: &Issuer,
    request: &AuthorizeRequest,
    face: Face,
    name: &str,
    problem: Option<Problem>,
) -> Response {
    let (status, retry_after) = problem
        .as_ref()
        .map_or((StatusCode::OK, None), |p| (p.status, p.retry_after));
    let html = SignInPage {
        server_name: &issuer.shared.config.server_name,
        face,
        name,
        problem,
        sign_in_query: &request.query(Prompt::SignIn),
        create_query: &request.query(Prompt::Create),
    }
    .html();
    let mut response = super::page(status, html, Some(&request.return_to.origin()));
    if let Some(wait) = retry_after {
        let secs = HeaderValue::from(wait.as_secs().saturating_add(1));
        response.headers_mut().insert(header::RETRY_AFTER, secs);
    }
    response
}

/// A wait as people say it, rounded up.
fn in_words(wait: Duration) -> String {
    let secs = wait.as_secs_f64().ceil().max(1.0);
    if secs < 90.0 {
        let plural = if secs < 1.5 { "" } else { "s" };
        format!("{secs:.0} second{plural}")
    } else {
        format!("{:.0} minutes", (secs / 60.0).ceil())
    }
}
