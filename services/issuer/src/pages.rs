//! The pages that people see: one form with two faces, and notices. No script, no request for
//! anything else; the style is in the page and named by its hash.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("pages/page.css");
const MARK: &str = include_str!("pages/mark.svg");

/// The style's name in a content security policy.
pub(crate) fn style_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE))))
}

/// The two faces of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    SignIn,
    Create,
}

/// What has to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Password,
    /// Nothing in particular.
    Whole,
}

/// Why the form came back.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) field: Field,
    pub(crate) text: String,
    pub(crate) retry_after: Option<Duration>,
}

/// The form.
pub(crate) struct SignInPage<'a> {
    pub(crate) server_name: &'a str,
    pub(crate) face: Face,
    /// What was typed before.
    pub(crate) name: &'a str,
    pub(crate) problem: Option<Problem>,
    pub(crate) sign_in_query: &'a str,
    /// Nothing where this request may make no account.
    pub(crate) create_query: Option<&'a str>,
}

struct Words {
    title: &'static str,
    action: &'static str,
    button: &'static str,
    name_hint: &'static str,
    password_hint: &'static str,
    autocomplete: &'static str,
    foot: &'static str,
}

const SIGN_IN: Words = Words {
    title: "Sign in",
    action: "sign-in",
    button: "Sign in",
    name_hint: "",
    password_hint: "",
    autocomplete: "current-password",
    foot: "Forgot the password? Whoever runs this server can set a new one for you.",
};

const CREATE: Words = Words {
    title: "Create an account",
    action: "create",
    button: "Create account",
    name_hint: "Up to 32 characters. Everybody here sees it.",
    password_hint: "At least 8 characters.",
    autocomplete: "new-password",
    foot: "The account is kept on this server and nowhere else.",
};

impl SignInPage<'_> {
    pub(crate) fn html(&self) -> String {
        let (words, query) = match self.face {
            Face::SignIn => (&SIGN_IN, self.sign_in_query),
            Face::Create => (&CREATE, self.create_query.unwrap_or_default()),
        };
        let body = format!(
            r#"<p class="where">{server}</p>
<h1>{title}</h1>
{tabs}
{problem}<form method="post" action="authorize?{query}">
<input type="hidden" name="action" value="{action}">
{name}{password}<button type="submit">{button}</button>
</form>
<p class="foot">{foot}</p>"#,
            server = escape(self.server_name),
            title = words.title,
            tabs = self.tabs(),
            problem = self
                .problem_of(Field::Whole)
                .map_or_else(String::new, |text| {
                    format!("<p class=\"problem\" role=\"alert\">{text}</p>\n")
                }),
            query = escape(query),
            action = words.action,
            name = self.name_field(words),
            password = self.password_field(words),
            button = words.button,
            foot = words.foot,
        );
        let title = format!("{} · {}", words.title, escape(self.server_name));
        document(&title, &body)
    }

    fn tabs(&self) -> String {
        let Some(create_query) = self.create_query else {
            return "<p class=\"alone\">New people join by an invite link.</p>".to_owned();
        };
        let tabs = [
            (Face::SignIn, "Sign in", self.sign_in_query),
            (Face::Create, "Create account", create_query),
        ]
        .map(|(face, text, query)| {
            let current = if face == self.face {
                " aria-current=\"page\""
            } else {
                ""
            };
            format!(
                "<a href=\"authorize?{}\"{current}>{text}</a>",
                escape(query)
            )
        })
        .concat();
        format!("<nav class=\"tabs\" aria-label=\"Ways to continue\">{tabs}</nav>")
    }

    fn name_field(&self, words: &Words) -> String {
        let input = format!(
            "name=\"name\" type=\"text\" value=\"{}\" maxlength=\"64\" autocomplete=\"username\" \
             autocapitalize=\"none\" spellcheck=\"false\"",
            escape(self.name),
        );
        self.field(Field::Name, "Name", &input, words.name_hint)
    }

    fn password_field(&self, words: &Words) -> String {
        let input = format!(
            "name=\"password\" type=\"password\" autocomplete=\"{}\"",
            words.autocomplete,
        );
        self.field(Field::Password, "Password", &input, words.password_hint)
    }

    fn field(&self, field: Field, label: &str, input: &str, hint: &str) -> String {
        let id = label.to_lowercase();
        let problem = self.problem_of(field);
        let note = match (&problem, hint) {
            (Some(text), _) => {
                format!("<p class=\"note bad\" id=\"{id}-note\" role=\"alert\">{text}</p>")
            }
            (None, "") => String::new(),
            (None, hint) => format!("<p class=\"note\" id=\"{id}-note\">{hint}</p>"),
        };
        let described = if note.is_empty() {
            String::new()
        } else {
            format!(" aria-describedby=\"{id}-note\"")
        };
        let invalid = if problem.is_some() {
            " aria-invalid=\"true\""
        } else {
            ""
        };
        let focus = if self.focused() == field {
            " autofocus"
        } else {
            ""
        };
        format!(
            "<div class=\"field\"><label for=\"{id}\">{label}</label>\
             <input id=\"{id}\" {input} required{described}{invalid}{focus}>{note}</div>\n"
        )
    }

    /// Where typing begins: at what has to be changed, else at the first empty field.
    fn focused(&self) -> Field {
        match &self.problem {
            Some(Problem {
                field: Field::Name, ..
            }) => Field::Name,
            Some(_) => Field::Password,
            None if self.name.is_empty() => Field::Name,
            None => Field::Password,
        }
    }

    fn problem_of(&self, field: Field) -> Option<String> {
        let problem = self.problem.as_ref()?;
        (problem.field == field).then(|| escape(&problem.text))
    }
}

/// A page with nothing to do on it.
pub(crate) fn notice(title: &str, text: &str) -> String {
    let (title, text) = (escape(title), escape(text));
    document(
        &title,
        &format!("<h1>{title}</h1>\n<p class=\"text\">{text}</p>"),
    )
}

/// Says why no account can be made, with the way for who has one.
pub(crate) fn no_entry(title: &str, text: &str, sign_in_query: &str) -> String {
    let (title, text) = (escape(title), escape(text));
    let body = format!(
        "<h1>{title}</h1>\n<p class=\"text\">{text}</p>\n\
         <p class=\"text\"><a class=\"way\" href=\"authorize?{}\">I have an account: sign in</a></p>",
        escape(sign_in_query),
    );
    document(&title, &body)
}

fn document(title: &str, body: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>{title}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<style>{STYLE}</style>
</head>
<body>
<main>
<div class="brand">{MARK}<span>Gryt</span></div>
<section class="card">
{body}
</section>
</main>
</body>
</html>
"#
    )
}

/// Makes text safe between tags and inside double quotes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, problem: Option<Problem>) -> String {
        SignInPage {
            server_name: "Ada's <server>",
            face: Face::Create,
            name,
            problem,
            sign_in_query: "a=1&prompt=login",
            create_query: Some("a=1&prompt=create"),
        }
        .html()
    }

    #[test]
    fn nothing_that_was_typed_becomes_markup() {
        let html = page("\"><script>alert('1')</script>", None);
        assert!(!html.contains("<script"));
        assert!(html.contains("value=\"&quot;&gt;&lt;script&gt;"));
        assert!(html.contains("Ada&#39;s &lt;server&gt;"));
        assert!(html.contains("action=\"authorize?a=1&amp;prompt=create\""));
    }

    #[test]
    fn problem_is_tied_to_its_field() {
        let html = page(
            "ada",
            Some(Problem {
                status: StatusCode::CONFLICT,
                field: Field::Name,
                text: "taken".to_owned(),
                retry_after: None,
            }),
        );
        assert!(html.contains("aria-describedby=\"name-note\" aria-invalid=\"true\" autofocus"));
        assert!(html.contains("<p class=\"note bad\" id=\"name-note\" role=\"alert\">taken</p>"));
        assert_eq!(html.matches("autofocus").count(), 1);
    }

    #[test]
    fn page_uses_no_style_that_its_policy_forbids() {
        let html = page("ada", None);
        assert!(!html.contains("style="));
        assert_eq!(html.matches("<style>").count(), 1);
        assert!(style_hash().starts_with("sha256-"));
    }
}
