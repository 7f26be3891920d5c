//! Compiles anew when the web client was built, because its files are embedded.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
