//! Copies librdkafka's public headers to where C++ includes them from, and tells the library which
//! version of the driver it was built with.
use std::{env, fs, io, path::Path, path::PathBuf};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SLUICE_NATIVE_INCLUDE");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    println!("cargo::rustc-env=SLUICE_SCYLLA_VERSION={}", locked_version("scylla")?);
    // Set by rdkafka-sys, and only where the feature `vendored-kafka` builds it.
    let Some(root) = env::var_os("DEP_RDKAFKA_ROOT") else {
        return Ok(());
    };
    let from = Path::new(&root).join("include/librdkafka");
    let to = include_dir().join("librdkafka");
    fs::create_dir_all(&to)?;
    for name in ["rdkafka.h", "rdkafka_mock.h"] {
        copy_if_changed(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

/// The folder that C++ gets as `-I`: the caller's choice, else `<target>/<profile>/include`.
fn include_dir() -> PathBuf {
    match env::var_os("SLUICE_NATIVE_INCLUDE") {
        Some(dir) => PathBuf::from(dir),
        // OUT_DIR is <target>/<profile>/build/<package>-<hash>/out.
        None => PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"))
            .ancestors()
            .nth(3)
            .expect("OUT_DIR lies in the target folder")
            .join("include"),
    }
}

/// The version of a package in Cargo.lock; cargo tells a crate only its own.
fn locked_version(package: &str) -> io::Result<String> {
    let lock = fs::read_to_string("../Cargo.lock")?;
    let name = format!("name = \"{package}\"");
    let version = lock
        .lines()
        .skip_while(|line| *line != name)
        .find_map(|line| line.strip_prefix("version = "))
        .ok_or_else(|| io::Error::other(format!("Cargo.lock has no {package}")))?;
    Ok(version.trim_matches('"').to_owned())
}

/// A header whose bytes are the same keeps its time stamp, so that nothing that includes it is
/// compiled again.
fn copy_if_changed(from: &Path, to: &Path) -> io::Result<()> {
    let text = fs::read(from)?;
    if fs::read(to).ok().as_ref() != Some(&text) {
        fs::write(to, text)?;
    }
    Ok(())
}
