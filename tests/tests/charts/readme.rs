//! The table of values in each chart's README, generated from the comments in `values.yaml`.

use anyhow::{Context as _, Result};

use crate::chart::{CHARTS, Chart};
use crate::{generated, values};

const BEGIN: &str = "<!-- values: generated from values.yaml -->\n";
const END: &str = "<!-- /values -->";

#[test]
fn the_readme_tells_every_value() -> Result<()> {
    for chart in &CHARTS {
        let readme = chart.read("README.md")?;
        let (before, rest) = readme.split_once(BEGIN).context("no mark of the table")?;
        let (_, after) = rest.split_once(END).context("no end of the table")?;
        let whole = format!("{before}{BEGIN}{}{END}{after}", table(chart)?);
        generated::check(&chart.folder().join("README.md"), &whole)?;
    }
    Ok(())
}

fn table(chart: &Chart) -> Result<String> {
    let defaults = chart.values()?;
    let mut table = "| value | default | meaning | example |\n|---|---|---|---|\n".to_owned();
    for entry in values::entries(chart)? {
        let path = entry.dotted();
        let Some(example) = entry.example else {
            table.push_str(&format!("| **{path}** | | {} | |\n", cell(&entry.text)));
            continue;
        };
        let default = defaults.pointer(&format!("/{}", entry.path.join("/")));
        let default = default.with_context(|| format!("{path} has no default"))?;
        table.push_str(&format!(
            "| `{path}` | `{}` | {} | `{}` |\n",
            cell(&default.to_string()),
            cell(&entry.text),
            cell(&example)
        ));
    }
    Ok(table)
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
