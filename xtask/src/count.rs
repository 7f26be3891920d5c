//! Counts of tests, read from the closing lines of the runners.

use std::ops::AddAssign;

/// Tests that ran, or were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

impl Count {
    pub(crate) const PASSED: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
    pub(crate) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
    pub(crate) const SKIPPED: Self = Self {
        passed: 0,
        failed: 0,
        skipped: 1,
    };

    /// Reads one line of a runner's output; most lines count nothing.
    pub(crate) fn of_line(line: &str) -> Self {
        let line = without_colors(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result: ") {
            return Self {
                passed: number_before(rest, " passed"),
                failed: number_before(rest, " failed"),
                skipped: number_before(rest, " ignored"),
            };
        }
        // vitest: `Tests  1 failed | 12 passed (13)`.
        if let Some(rest) = line.strip_prefix("Tests  ") {
            return Self {
                passed: number_before(rest, " passed"),
                failed: number_before(rest, " failed"),
                skipped: number_before(rest, " skipped"),
            };
        }
        // node:test: `ℹ pass 3`, `# fail 0`.
        let mut words = line.split(' ');
        let (Some("ℹ" | "#"), Some(what), Some(number), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Self::default();
        };
        let number = number.parse().unwrap_or(0);
        match what {
            "pass" => Self {
                passed: number,
                ..Self::default()
            },
            "fail" | "cancelled" => Self {
                failed: number,
                ..Self::default()
            },
            "skipped" | "todo" => Self {
                skipped: number,
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

fn without_colors(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' {
            for code in chars.by_ref() {
                if code.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            plain.push(char);
        }
    }
    plain
}

fn number_before(text: &str, what: &str) -> u64 {
    text.find(what)
        .and_then(|at| {
            text[..at]
                .rsplit(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_the_runners_are_read() {
        let cases = [
            (
                "test result: ok. 12 passed; 3 failed; 1 ignored; 0 measured",
                (12, 3, 1),
            ),
            (
                "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m | 41 passed (42)",
                (41, 1, 0),
            ),
            ("ℹ pass 7", (7, 0, 0)),
            ("# fail 2", (0, 2, 0)),
            ("ℹ skipped 1", (0, 0, 1)),
            ("running 3 tests", (0, 0, 0)),
        ];
        for (line, (passed, failed, skipped)) in cases {
            assert_eq!(
                Count::of_line(line),
                Count {
                    passed,
                    failed,
                    skipped
                },
                "{line}"
            );
        }
    }
}
