//! Every chart rendered with every value set, held against a file, and what an installer is told.

use anyhow::{Result, anyhow};

use crate::chart::{CHARTS, Chart, OPERATOR, SERVER, repository};
use crate::{generated, helm};

#[test]
fn every_value_set_renders_the_golden_objects() -> Result<()> {
    for chart in &CHARTS {
        for set in chart.sets()? {
            let rendered = rendered(chart, &set)?;
            generated::check(&golden(chart, &set.name), &rendered)?;
        }
    }
    Ok(())
}

#[test]
fn helm_lint_is_content_with_every_value_set() -> Result<()> {
    for chart in &CHARTS {
        for set in chart.sets()? {
            let answer = helm::lint(chart, &set.path)?;
            assert!(
                answer.is_ok(),
                "{} with {}: {answer:?}",
                chart.name,
                set.name
            );
        }
    }
    Ok(())
}

#[test]
fn the_notes_show_the_ten_lines_and_the_owner_link() -> Result<()> {
    for chart in &CHARTS {
        for set in chart.sets()? {
            let notes = helm::notes(chart, &set.path)?.map_err(|said| anyhow!(said))?;
            assert!(
                notes.contains("-owner -o jsonpath='{.data.link}' | base64 -d"),
                "{} with {} says nothing of the owner: {notes}",
                chart.name,
                set.name
            );
        }
    }
    let notes = helm::notes(&OPERATOR, &OPERATOR.sets()?[0].path)?.map_err(|said| anyhow!(said))?;
    assert!(notes.contains("kind: GrytServer\n"), "{notes}");
    Ok(())
}

#[test]
fn a_server_without_a_hostname_is_refused_with_a_sentence() -> Result<()> {
    let Err(said) = helm::template(&SERVER, &[])? else {
        panic!("rendered without a hostname");
    };
    assert!(
        said.contains("hostname is missing: name the host"),
        "{said}"
    );
    Ok(())
}

/// The render of a set; the golden file leaves out the CRDs, which are a file of their own.
fn rendered(chart: &Chart, set: &crate::chart::Set) -> Result<String> {
    let text = helm::template(chart, &[&set.path])?
        .map_err(|said| anyhow!("{} with {}: {said}", chart.name, set.name))?;
    let documents = text
        .split("\n---\n")
        .filter(|document| !document.contains("kind: CustomResourceDefinition"));
    Ok(documents.collect::<Vec<_>>().join("\n---\n"))
}

fn golden(chart: &Chart, set: &str) -> std::path::PathBuf {
    repository().join(format!(
        "tests/tests/charts/golden/{}/{set}.yaml",
        chart.name
    ))
}
