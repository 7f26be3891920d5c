//! The page where people sign in or create an account.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use gryt_model::MemberId;
use serde::Deserialize;

use super::invite;
use super::request::{AuthorizeRequest, Invalid, Parameters, Prompt};
use crate::accounts::{self, Account, AccountName, Password, PasswordRefusal};
use crate::clock;
use crate::codes::{self, Grant};
use crate::database::DatabaseError;
use crate::invites::{Brought, Registration, Standing};
use crate::issuer::Issuer;
use crate::pages::{self, Face, Field, Problem, SignInPage};
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
pub(super) async fn show(
    State(issuer): State<Issuer>,
    connection: ConnectInfo<SocketAddr>,
    asked: Asked,
) -> Response {
    let request = match check(&issuer, asked) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let entry = match entry(&issuer, &request, super::peer(connection)).await {
        Ok(entry) => entry,
        Err(error) => return super::failed(&error),
    };
    let face = match first_face(&issuer, request.prompt, &entry).await {
        Ok(face) => face,
        Err(error) => return super::failed(&error),
    };
    if let (Face::Create, Entry::Closed(closed)) = (face, &entry) {
        return no_entry(&request, closed);
    }
    let name = request.login_hint.clone().unwrap_or_default();
    form(
        &issuer,
        &request,
        &entry,
        Shown {
            face,
            name: &name,
            problem: None,
        },
    )
}

/// The face that was asked for; else signing in, unless nobody can: the first person of a server
/// has to make an account.
async fn first_face(issuer: &Issuer, prompt: Prompt, entry: &Entry) -> Result<Face, DatabaseError> {
    match (prompt, entry) {
        (Prompt::Create, _) => Ok(Face::Create),
        (Prompt::SignIn, _) | (Prompt::Unasked, Entry::Closed(_)) => Ok(Face::SignIn),
        (Prompt::Unasked, Entry::Open) => {
            let database = &issuer.shared.database;
            Ok(match database.read_later(accounts::exist).await? {
                true => Face::SignIn,
                false => Face::Create,
            })
        }
    }
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
    let entry = match entry(&issuer, &request, address).await {
        Ok(entry) => entry,
        Err(error) => return super::failed(&error),
    };
    if let (Face::Create, Entry::Closed(closed)) = (face, &entry) {
        return no_entry(&request, closed);
    }
    let now = clock::now();
    let outcome = match filled.action {
        Action::SignIn => sign_in(&issuer, filled, address, now).await,
        Action::Create => create(&issuer, filled, &request, address, now).await,
    };
    let account = match outcome {
        Ok(account) => account,
        Err(Refused::Problem(problem)) => {
            let problem = Some(problem);
            return form(
                &issuer,
                &request,
                &entry,
                Shown {
                    face,
                    name: &name,
                    problem,
                },
            );
        }
        Err(Refused::NoEntry(closed)) => return no_entry(&request, &closed),
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

/// Whether this request may make an account.
enum Entry {
    Open,
    Closed(Closed),
}

/// Why it may not.
#[derive(Clone, Copy)]
enum Closed {
    /// It brought no invite.
    NoInvite,
    /// The one it brought is not good.
    Invite(Standing),
    /// Too many wrong ones came from this address.
    Wait(Wait),
}

async fn entry(
    issuer: &Issuer,
    request: &AuthorizeRequest,
    address: IpAddr,
) -> Result<Entry, DatabaseError> {
    match (&issuer.shared.config.registration, &request.invite) {
        (Registration::Open, _) => Ok(Entry::Open),
        (Registration::ByInvite { .. }, None) => Ok(Entry::Closed(Closed::NoInvite)),
        (Registration::ByInvite { .. }, Some(token)) => {
            Ok(match invite::look(issuer, token, address).await? {
                Ok(Standing::Good) => Entry::Open,
                Ok(standing) => Entry::Closed(Closed::Invite(standing)),
                Err(wait) => Entry::Closed(Closed::Wait(wait)),
            })
        }
    }
}

/// Says why no account can be made, and leads to the other face.
fn no_entry(request: &AuthorizeRequest, closed: &Closed) -> Response {
    const ASK: &str = "Ask whoever invited you for a new link.";
    let (status, title, text) = match closed {
        Closed::NoInvite | Closed::Invite(Standing::Good) => (
            StatusCode::FORBIDDEN,
            "You need an invite",
            "New people join this server by an invite link. Ask somebody who is here for one."
                .to_owned(),
        ),
        Closed::Invite(Standing::Unknown) => (
            StatusCode::FORBIDDEN,
            "This invite does not work",
            format!("Its link may have been cut when it was copied. {ASK}"),
        ),
        Closed::Invite(Standing::Expired) => (
            StatusCode::FORBIDDEN,
            "This invite has run out",
            format!("Its time is over. {ASK}"),
        ),
        Closed::Invite(Standing::Used) => (
            StatusCode::FORBIDDEN,
            "This invite is used up",
            format!("As many people as it was meant for have joined with it. {ASK}"),
        ),
        Closed::Invite(Standing::Revoked) => (
            StatusCode::FORBIDDEN,
            "This invite was taken back",
            format!("Somebody who runs this server ended it. {ASK}"),
        ),
        Closed::Wait(Wait(wait)) => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many invites were tried",
            format!("Wait {} and open the link again.", in_words(*wait)),
        ),
    };
    let html = pages::no_entry(title, &text, &request.query(Prompt::SignIn));
    super::page(status, html, Some(&request.return_to.origin()))
}

enum Refused {
    Problem(Problem),
    NoEntry(Closed),
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
    let place = (name.key.clone(), address);
    issuer.with_throttles(|throttles| throttles.take_sign_in(&place, now))?;
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
    issuer.with_throttles(|throttles| throttles.signed_in(&place));
    Ok(account)
}

async fn create(
    issuer: &Issuer,
    filled: Filled,
    request: &AuthorizeRequest,
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
    issuer.with_throttles(|throttles| throttles.accounts_by_address.take(&address, now))?;
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
    let registration = issuer.shared.config.registration.clone();
    let brought = request
        .invite
        .as_deref()
        .map(|token| Brought::new(token, &registration));
    let by_invite = matches!(registration, Registration::ByInvite { .. });
    // One transaction: an invite is counted with the account that it made, or neither is there.
    let made = database
        .write_later(move |transaction| {
            let standing = brought
                .as_ref()
                .map(|brought| brought.standing(transaction, now))
                .transpose()?;
            if by_invite && standing != Some(Standing::Good) {
                return Ok(Err(standing));
            }
            let account = accounts::create(transaction, &id, &wanted, &hash, now)?;
            if let (Some(_), Some(brought), Some(Standing::Good)) = (&account, &brought, standing) {
                brought.count(transaction)?;
            }
            Ok(Ok(account))
        })
        .await?;
    // Somebody else may have been faster while we hashed.
    let account = made
        .map_err(|standing| Refused::NoEntry(standing.map_or(Closed::NoInvite, Closed::Invite)))?
        .ok_or_else(|| name_taken(&name))?;
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

/// What the form shows.
struct Shown<'a> {
    face: Face,
    name: &'a str,
    problem: Option<Problem>,
}

fn form(issuer: &Issuer, request: &AuthorizeRequest, entry: &Entry, shown: Shown<'_>) -> Response {
    let Shown {
        face,
        name,
        problem,
    } = shown;
    let create_query = request.query(Prompt::Create);
    let (status, retry_after) = problem
        .as_ref()
        .map_or((StatusCode::OK, None), |p| (p.status, p.retry_after));
    let html = SignInPage {
        server_name: &issuer.shared.config.server_name,
        face,
        name,
        problem,
        sign_in_query: &request.query(Prompt::SignIn),
        create_query: match entry {
            Entry::Open => Some(&create_query),
            Entry::Closed(_) => None,
        },
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
