//! `docs/kubernetes` held against the rest of the repository: examples fit the CRDs, links lead somewhere, and the
//! reasons that the operator gives are the ones that the page on troubleshooting explains.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::chart::{CHARTS, documents, files, read, repository, title};
use crate::{crds, openapi};

/// The pages, and the READMEs of the charts.
fn pages() -> Result<Vec<PathBuf>> {
    let mut pages = files(&repository().join("docs/kubernetes"))?;
    pages.retain(|path| path.extension().is_some_and(|end| end == "md"));
    pages.extend(CHARTS.iter().map(|chart| chart.folder().join("README.md")));
    Ok(pages)
}

#[test]
fn every_example_fits_the_crds() -> Result<()> {
    let mut ours = 0;
    for page in pages()? {
        for block in blocks(&read(&page)?, "yaml") {
            for object in documents(&block)? {
                let group = openapi::group_version(&object).0;
                if group != "gryt.chat" {
                    continue;
                }
                ours += 1;
                let kind = object["kind"].as_str().unwrap_or_default();
                let schema = crds::schema(kind)?;
                let faults = openapi::faults(&schema, &object);
                assert!(
                    faults.is_empty(),
                    "{}: {}: {faults:?}",
                    page.display(),
                    title(&object)
                );
            }
        }
    }
    assert!(ours > 0, "no example was found");
    Ok(())
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() -> Result<()> {
    for page in pages()? {
        let folder = page.parent().unwrap_or_else(|| Path::new("."));
        for link in links(&read(&page)?) {
            let (file, anchor) = link.split_once('#').unwrap_or((link.as_str(), ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            if !anchor.is_empty() {
                let found = anchors(&read(&target)?).contains(anchor);
                assert!(found, "{}: {link} has no heading", page.display());
            }
        }
    }
    Ok(())
}

#[test]
fn troubleshooting_explains_exactly_the_reasons_that_the_operator_gives() -> Result<()> {
    let page = read(&repository().join("docs/kubernetes/troubleshooting.md"))?;
    let explained: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(reason, _)| reason.to_owned())
        .collect();
    let given = given_reasons()?;
    let missing: Vec<_> = given.difference(&explained).collect();
    let unknown: Vec<_> = explained.difference(&given).collect();
    assert!(missing.is_empty(), "not explained: {missing:?}");
    assert!(unknown.is_empty(), "given by nobody: {unknown:?}");
    Ok(())
}

/// Reasons are the texts in CamelCase in the operator's files of reasons, but for the kubelet's words that a
/// pattern there looks for.
fn given_reasons() -> Result<BTreeSet<String>> {
    let mut reasons = BTreeSet::new();
    for file in [
        "refusal.rs",
        "status.rs",
        "status/backends.rs",
        "status/departure.rs",
        "status/findings.rs",
        "status/media.rs",
    ] {
        let code = read(&repository().join("operator/src").join(file))?;
        let code: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.join("\n");
        let parts: Vec<&str> = code.split('"').collect();
        // Between quotes are the odd parts.
        for pair in parts[1..].chunks(2) {
            let [text, after] = pair else { continue };
            let after = after.trim_start();
            let is_pattern = after.starts_with('|') || after.starts_with("=>");
            if is_camel(text) && !is_pattern {
                reasons.insert((*text).to_owned());
            }
        }
    }
    assert!(!reasons.is_empty(), "the operator gives no reasons");
    Ok(reasons)
}

fn is_camel(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.contains(|c: char| c.is_ascii_lowercase())
}

/// The fenced blocks of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let opened = page.split(&opening).skip(1);
    opened
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block.to_owned())
        .collect()
}

/// Where links lead inside the repository.
fn links(page: &str) -> Vec<String> {
    let opened = page.split("](").skip(1);
    let targets = opened.filter_map(|rest| rest.split_once(')'));
    targets
        .map(|(target, _)| target.to_owned())
        .filter(|target| !target.contains("://"))
        .collect()
}

/// The anchors that GitHub gives to the headings of a page.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn anchors_are_those_of_github() {
    let found = anchors("# A server in ten lines\ntext\n## Is it `reachable`?\n");
    let wanted = ["a-server-in-ten-lines", "is-it-reachable"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(wanted));
}
