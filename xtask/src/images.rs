//! Which images there are: the product's, and what the test cluster needs beside them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache;
use crate::command::{command, run};
use crate::image::{self, Image};
use crate::release;
use crate::web;

/// The product's programs; each is an image of the same name.
pub(crate) const PRODUCT: [&str; 3] = ["gryt-operator", "gryt-signaling", "gryt-sfu"];
/// Every image of the product goes by both tags, so that a test can roll from one to the other.
pub(crate) const TAGS: [&str; 2] = ["test", "next"];

/// The archives that a cluster loads, and the program that runs beside it.
pub(crate) struct Images {
    /// What a node needs before it can run any pod.
    pub(crate) base: PathBuf,
    pub(crate) product: Vec<PathBuf>,
    /// `gryt-cluster-controllers`.
    pub(crate) controllers: PathBuf,
}

/// Builds the programs and writes their images.
///
/// # Errors
/// When a build fails or an archive can't be written.
pub(crate) fn build(coredns: &Path) -> Result<Images> {
    // Signaling carries the web client in its program.
    web::build().context("build the web client")?;
    let mut packages = PRODUCT.to_vec();
    packages.extend(["gryt-cluster-probe", "gryt-cluster-controllers"]);
    let programs = release::build(&packages)?;
    let folder = folder();
    let base = folder.join("base");
    fs::create_dir_all(&base).with_context(|| format!("make \"{}\"", base.display()))?;

    let probe = stripped(&programs.join("gryt-cluster-probe"), &folder)?;
    let name = "gryt-cluster-probe";
    write(
        &["localhost/pause:test"],
        &probe,
        name,
        &["pause"],
        &base.join("pause.tar"),
    )?;
    write(
        &["localhost/gryt-cluster-probe:test"],
        &probe,
        name,
        &[],
        &base.join("probe.tar"),
    )?;
    write(
        &["localhost/coredns:test"],
        coredns,
        "coredns",
        &[],
        &base.join("coredns.tar"),
    )?;

    let mut product = Vec::new();
    for program in PRODUCT {
        let names = TAGS.map(|tag| format!("localhost/{program}:{tag}"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let archive = folder.join(format!("{program}.tar"));
        let lean = stripped(&programs.join(program), &folder)?;
        write(&names, &lean, program, &[], &archive)?;
        product.push(archive);
    }
    Ok(Images {
        base,
        product,
        controllers: programs.join("gryt-cluster-controllers"),
    })
}

/// The program in an image of the product, for a test that runs it outside of the cluster.
pub(crate) fn program(name: &str) -> PathBuf {
    folder().join(name)
}

fn folder() -> PathBuf {
    cache::target().join("images")
}

/// Writes one image, unless the archive is newer than the program and than this command.
pub(crate) fn write(
    names: &[&str],
    program: &Path,
    program_name: &str,
    args: &[&str],
    archive: &Path,
) -> Result<()> {
    let modified = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    let made = modified(archive);
    let itself = std::env::current_exe().ok().and_then(|exe| modified(&exe));
    if made.is_some() && made > modified(program) && made > itself {
        return Ok(());
    }
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let image = Image {
        names: &names,
        program,
        program_name,
        args,
    };
    image::write(&image, archive)
}

/// The program without its line tables, which are most of its size; function names stay.
fn stripped(program: &Path, folder: &Path) -> Result<PathBuf> {
    let name = program.file_name().context("the program has no name")?;
    let lean = folder.join(name);
    let mut strip = command("strip", &["--strip-debug", "-o"]);
    strip.arg(&lean).arg(program);
    run(strip)?;
    Ok(lean)
}
