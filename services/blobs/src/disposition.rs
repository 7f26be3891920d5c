//! The header that says whether a browser shows a file or saves it (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187's `attr-char` allows besides letters and digits.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Whether a browser shows a blob in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// In place: only for types that cannot carry script.
    Inline,
    /// Saved under this name, whatever it is.
    Attachment {
        /// Any text: it is written so that no character of it can end the header.
        name: Box<str>,
    },
}

impl Disposition {
    /// The header's value: visible ASCII.
    #[must_use]
    pub fn header(&self) -> String {
        match self {
            Self::Inline => "inline".to_owned(),
            Self::Attachment { name } => {
                let plain: String = name
                    .chars()
                    .map(|c| match c {
                        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => c,
                        _ => '_',
                    })
                    .collect();
                let extended = utf8_percent_encode(name, EXTENDED);
                format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header_of(name: &str) -> String {
        Disposition::Attachment { name: name.into() }.header()
    }

    #[test]
    fn names_are_told_twice_for_old_and_new_browsers() {
        assert_eq!(
            header_of("Plan für \"Ö\".pdf"),
            "attachment; filename=\"Plan_f_r____.pdf\"; \
             filename*=UTF-8''Plan%20f%C3%BCr%20%22%C3%96%22.pdf"
        );
    }

    proptest! {
        #[test]
        fn no_name_ends_the_header_or_adds_one(name in any::<String>()) {
            let header = header_of(&name);
            prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(header.matches('"').count(), 2);
            prop_assert_eq!(header.matches(';').count(), 2);
        }
    }
}
