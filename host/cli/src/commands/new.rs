//! `new`: a guest project that builds and runs as written.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;

use crate::exit::Exit;
use crate::failure::{Failed, Outcome};
use crate::output;

/// Write a new guest project.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Its name, and the folder it is written to
    #[arg(value_name = "NAME")]
    name: String,
    /// Take the SDK from this folder (the `guest-sdk` of a checkout)
    #[arg(long, value_name = "PATH", conflicts_with = "sdk_git")]
    sdk_path: Option<PathBuf>,
    /// Take the SDK from this git repository [default: where this program comes from]
    #[arg(long, value_name = "URL")]
    sdk_git: Option<String>,
}

const CARGO_TOML: &str = include_str!("new/Cargo.toml.in");
const LIB_RS: &str = include_str!("new/lib.rs.in");

impl New {
    pub(crate) fn execute(self) -> Outcome {
        let name = &self.name;
        let usable = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !name.ends_with('-')
            && !name.contains("--");
        if !usable {
            let message = format!("`{name}` is no name for a guest");
            return Err(Failed::usage(message)
                .hint("lower-case letters, digits and single dashes, a letter first"));
        }
        let module = name.replace('-', "_");
        let folder = Path::new(name);
        let sdk = self.sdk().map_err(|error| Failed::general(&error))?;
        let fill = |text: &str| {
            text.replace("{{name}}", name)
                .replace("{{module}}", &module)
                .replace("{{sdk}}", &sdk)
        };
        let write = || -> io::Result<()> {
            fs::create_dir(folder)?;
            fs::create_dir(folder.join("src"))?;
            fs::write(folder.join("Cargo.toml"), fill(CARGO_TOML))?;
            fs::write(folder.join(".gitignore"), "/target\n")?;
            fs::write(folder.join("src/lib.rs"), fill(LIB_RS))
        };
        write().map_err(|error| {
            Failed::new(
                Exit::General,
                format!("failed to write {}: {error}", folder.display()),
            )
        })?;
        output::line(&format!(
            "wrote {name}/. Now:\n  cd {name}\n  cargo test\n  rustup target add wasm32-wasip2\n  cargo build --release --target \
             wasm32-wasip2\n  proc-host exec target/wasm32-wasip2/release/{module}.wasm \
             'greet(\"world\")'"
        ))?;
        Ok(Exit::Success)
    }

    /// Where the SDK comes from, as a table of Cargo's.
    fn sdk(&self) -> io::Result<String> {
        let quoted =
            |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        Ok(match (&self.sdk_path, &self.sdk_git) {
            (Some(path), _) => {
                let path = fs::canonicalize(path)?;
                format!("path = {}", quoted(&path.to_string_lossy()))
            }
            (None, Some(url)) => format!("git = {}", quoted(url)),
            (None, None) => format!("git = {}", quoted(env!("CARGO_PKG_REPOSITORY"))),
        })
    }
}
