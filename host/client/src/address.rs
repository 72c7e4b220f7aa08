//! Where a host is found.

use std::env;
use std::path::{Path, PathBuf};

/// The socket a client uses when it is told none, and a host serves on when it is told none:
/// `PROC_HOST_SOCKET`, else `proc-host/proc-host.sock` under `XDG_RUNTIME_DIR`, else
/// `/tmp/proc-host-<uid>/proc-host.sock`.
pub fn default_socket() -> PathBuf {
    if let Some(path) = variable("PROC_HOST_SOCKET") {
        return path;
    }
    let folder = match variable("XDG_RUNTIME_DIR") {
        Some(runtime) => runtime.join("proc-host"),
        None => env::temp_dir().join(format!("proc-host-{}", rustix::process::getuid().as_raw())),
    };
    folder.join("proc-host.sock")
}

/// The file beside a socket that holds what a client must show: 64 hexadecimal digits.
pub fn token_path(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".token");
    PathBuf::from(path)
}

/// A token from what its file holds: 64 hexadecimal digits, or the 32 bytes themselves.
pub(crate) fn parse_token(text: &[u8]) -> Option<[u8; 32]> {
    if let Ok(raw) = text.try_into() {
        return Some(raw);
    }
    let digits = text.trim_ascii().as_chunks::<2>();
    let (pairs, []) = digits else { return None };
    let mut token = [0; 32];
    if pairs.len() != token.len() {
        return None;
    }
    for (byte, pair) in token.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(token)
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hexadecimal_or_raw() {
        let token: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let text: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(parse_token(format!("{text}\n").as_bytes()), Some(token));
        assert_eq!(parse_token(&token), Some(token));
        assert_eq!(parse_token(b"00"), None);
        assert_eq!(parse_token("zz".repeat(32).as_bytes()), None);
    }

    #[test]
    fn the_token_lies_beside_the_socket() {
        assert_eq!(
            token_path(Path::new("/a/b.sock")),
            Path::new("/a/b.sock.token")
        );
    }
}
