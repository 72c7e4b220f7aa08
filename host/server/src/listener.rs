//! The socket clients connect to, and the files beside it.
//!
//! Owns: the directory (0700 where it is made here), the lock against a second host, the token
//! (0600, from the system's randomness) and the socket (0600); all are removed at the end. Only
//! this user's processes are let in. May not know: messages.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::process::{geteuid, umask};

use crate::error::ListenerError;

/// Bytes of a socket's path, as the kernel has it.
const MAX_PATH: usize = 107;

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: UnixListener,
    pub(crate) path: PathBuf,
    pub(crate) token: [u8; 32],
    /// Removes what was made, the last first.
    _files: Files,
}

impl Listener {
    /// Makes the socket. To be called while no other thread runs: it borrows the umask.
    pub(crate) fn open(path: &Path) -> Result<Listener, ListenerError> {
        let path = std::path::absolute(path).map_err(step("find", path))?;
        let bad = |why| ListenerError::Path {
            path: path.clone(),
            why,
        };
        if path.as_os_str().len() > MAX_PATH {
            return Err(bad("too long for a socket: 107 bytes are allowed"));
        }
        let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(bad("not the name of a file"));
        };
        let mut files = Files::default();
        make_directory(directory, &mut files)?;
        lock(&path, &mut files)?;
        let token = write_token(&beside(&path, ".token"), &mut files)?;
        remove_stale(&path)?;
        let mask = umask(Mode::from_raw_mode(0o177));
        let socket = UnixListener::bind(&path);
        umask(mask);
        let socket = socket.map_err(step("listen on", &path))?;
        files.made.push(path.clone());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .map_err(step("restrict", &path))?;
        socket
            .set_nonblocking(true)
            .map_err(step("listen on", &path))?;
        Ok(Listener {
            socket,
            path,
            token,
            _files: files,
        })
    }
}

/// Whether the other end is a process of this user.
pub(crate) fn is_ours(socket: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(socket).is_ok_and(|peer| peer.uid == geteuid())
}

/// Files to be removed at the end.
#[derive(Debug, Default)]
struct Files {
    made: Vec<PathBuf>,
    directory: Option<PathBuf>,
    /// Held until the files are gone.
    lock: Option<File>,
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in self.made.drain(..).rev() {
            let _ = fs::remove_file(path);
        }
        drop(self.lock.take());
        if let Some(directory) = &self.directory {
            // Somebody else may have put something there.
            let _ = fs::remove_dir(directory);
        }
    }
}

fn make_directory(directory: &Path, files: &mut Files) -> Result<(), ListenerError> {
    if !directory.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(step("make", directory))?;
        files.directory = Some(directory.to_owned());
    }
    let metadata = fs::metadata(directory).map_err(step("look at", directory))?;
    let bad = |why| ListenerError::Directory {
        directory: directory.to_owned(),
        why,
    };
    if metadata.uid() != geteuid().as_raw() {
        return Err(bad("the socket's directory belongs to somebody else"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(bad("others may write to the socket's directory"));
    }
    Ok(())
}

/// Takes the lock beside the socket.
fn lock(path: &Path, files: &mut Files) -> Result<(), ListenerError> {
    let name = beside(path, ".lock");
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(&name)
            .map_err(step("open", &name))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(ListenerError::Busy(path.to_owned()));
            }
            Err(errno) => return Err(step("lock", &name)(errno.into())),
        }
        // A host that was just ending may have removed the file between the two calls.
        let held = file.metadata().map_err(step("look at", &name))?;
        if fs::metadata(&name).is_ok_and(|there| there.ino() == held.ino()) {
            files.lock = Some(file);
            files.made.push(name);
            return Ok(());
        }
    }
}

fn write_token(name: &Path, files: &mut Files) -> Result<[u8; 32], ListenerError> {
    let mut token = [0; 32];
    random(&mut token).map_err(step("make a token for", name))?;
    match fs::remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(step("replace", name)(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(name)
        .map_err(step("write", name))?;
    files.made.push(name.to_owned());
    let mut text: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    file.write_all(text.as_bytes())
        .map_err(step("write", name))?;
    Ok(token)
}

/// Removes the socket of a host that was killed: whoever holds the lock owns the name.
fn remove_stale(path: &Path) -> Result<(), ListenerError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(step("look at", path)(error)),
        Ok(metadata) if metadata.file_type().is_socket() => {
            fs::remove_file(path).map_err(step("remove", path))
        }
        Ok(_) => Err(ListenerError::Path {
            path: path.to_owned(),
            why: "there is something that is not a socket",
        }),
    }
}

/// Fills `bytes` from the system's randomness.
pub(crate) fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn no_follow() -> i32 {
    i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default()
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ListenerError {
    move |source| ListenerError::Step {
        step,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn files_are_private_and_gone_at_the_end() {
        let outer = tempfile::tempdir().unwrap();
        let directory = outer.path().join("a/b");
        let path = directory.join("h.sock");
        let listener = Listener::open(&path).unwrap();
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&path), 0o600);
        let token = beside(&path, ".token");
        assert_eq!(mode(&token), 0o600);
        let text = fs::read_to_string(&token).unwrap();
        assert_eq!(text.trim().len(), 64);
        assert!(text.starts_with(&format!("{:02x}", listener.token[0])));
        assert!(is_ours(&UnixStream::connect(&path).unwrap()));
        drop(listener);
        assert!(!directory.exists());
    }

    #[test]
    fn a_second_host_is_refused_and_a_stale_socket_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("h.sock");
        let first = Listener::open(&path).unwrap();
        assert!(matches!(Listener::open(&path), Err(ListenerError::Busy(_))));
        assert!(
            path.exists(),
            "the refused one leaves the files of the first alone"
        );
        drop(first);
        drop(UnixListener::bind(&path).unwrap());
        fs::write(beside(&path, ".token"), "old").unwrap();
        let second = Listener::open(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        drop(second);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn places_that_will_not_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("h.sock");
        fs::write(&path, "precious").unwrap();
        let error = Listener::open(&path).unwrap_err().to_string();
        assert!(error.contains("not a socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        let long = directory.path().join("x".repeat(120));
        assert!(matches!(
            Listener::open(&long),
            Err(ListenerError::Path { .. })
        ));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = Listener::open(&path).unwrap_err().to_string();
        assert!(error.contains("others may write"), "{error}");
        assert!(!path.exists());
    }
}
