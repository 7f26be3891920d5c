//! Compiles the wire files without a system protoc: protox reads them, tonic and prost write Rust.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "gryt/client/v1/model.proto",
        "gryt/client/v1/reason.proto",
        "gryt/client/v1/socket.proto",
        "gryt/sfu/v1/sfu.proto",
    ];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
