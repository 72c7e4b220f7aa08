//! The process under test: reads what to do from descriptor 3, says what came of it there.

#![expect(
    unsafe_code,
    reason = "tries raw system calls that the jail must refuse"
)]

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::{fs, ptr, thread};

use proc_host_jail::{FIRST_FD, Jail, Profile, inherited_fd};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Resource, getrlimit};

const COMPILER: Profile = Profile::Compiler {
    cpu_seconds: 1,
    data_bytes: 64 << 20,
    output_bytes: 4096,
};

pub(crate) fn main(role: &str) -> ExitCode {
    let socket = UnixStream::from(inherited_fd(FIRST_FD).expect("the socket"));
    let mut scenario = String::new();
    BufReader::new(&socket)
        .read_line(&mut scenario)
        .expect("a scenario");
    let scenario = scenario.trim_end();
    if let Some(said) = before_the_jail(scenario, &socket) {
        write!(&socket, "{said}").expect("said");
        return ExitCode::SUCCESS;
    }
    let jail = Jail::enter().expect("entered");
    // What an engine does while it loads: memory files and executable memory.
    let image = memfd_create("image", MemfdFlags::CLOEXEC).expect("a memory file");
    rustix::io::pwrite(&image, b"image", 0).expect("written");
    rustix::fs::ftruncate(&image, 1 << 16).expect("resized");
    assert_eq!(attempt("map 5"), "ok", "executable memory before the lock");
    // What the worker's epoch ticker is: a thread from before the lock.
    let (order, orders) = mpsc::channel::<String>();
    let (answer, answers) = mpsc::channel();
    let thread = thread::spawn(move || {
        for order in orders {
            let _ = answer.send(attempt(&order));
        }
    });
    let profile = if role == "worker" {
        Profile::Worker
    } else {
        COMPILER
    };
    let layers = jail.lock(profile).expect("locked");
    let said = match scenario.split_once(' ') {
        Some(("layers", _)) | None if scenario == "layers" => layers.to_string(),
        Some(("thread", rest)) => {
            order.send(rest.to_owned()).expect("a thread");
            answers.recv().expect("an answer")
        }
        _ => attempt(scenario),
    };
    write!(&socket, "{said}").expect("said");
    drop(order);
    thread.join().expect("the end of the thread");
    ExitCode::SUCCESS
}

fn before_the_jail(scenario: &str, socket: &UnixStream) -> Option<String> {
    Some(match scenario {
        "descriptors" => {
            let mut numbers: Vec<i32> = fs::read_dir("/proc/self/fd")
                .expect("descriptors")
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                .collect();
            // The directory itself is closed again by now.
            numbers.retain(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
            numbers.sort_unstable();
            let null = fs::read_link("/proc/self/fd/0").expect("standard input");
            let taken = inherited_fd(FIRST_FD).is_err();
            let foreign = inherited_fd(0).is_err() && inherited_fd(i32::MAX).is_err();
            format!("{numbers:?} {} {taken} {foreign}", null.display())
        }
        "fourth" => {
            let mut text = String::new();
            let fourth = fs::File::from(inherited_fd(4).expect("a descriptor"));
            io::Read::read_to_string(&mut { fourth }, &mut text).expect("read");
            text
        }
        "surroundings" => {
            let limit = |resource| getrlimit(resource).maximum;
            format!(
                "{:?} {:?} {} {} {:?} {}",
                std::env::args().collect::<Vec<_>>(),
                std::env::vars().collect::<Vec<_>>(),
                rustix::process::getsid(None) == Ok(rustix::process::getpid()),
                rustix::process::getpid(),
                [
                    limit(Resource::Core),
                    limit(Resource::Nofile),
                    limit(Resource::Memlock)
                ],
                rustix::system::uname().nodename().to_string_lossy(),
            )
        }
        "enter with threads" => {
            let (end, wait) = mpsc::channel::<()>();
            let thread = thread::spawn(move || wait.recv());
            let refused = Jail::enter().expect_err("refused").to_string();
            drop(end);
            let _ = thread.join();
            refused
        }
        // A descriptor opened by this process is not inherited, whatever its number.
        "opened here" => {
            let file = fs::File::open("/dev/null").expect("opened");
            format!(
                "{} {}",
                file.as_raw_fd(),
                inherited_fd(file.as_raw_fd()).is_err()
            )
        }
        "wait" => {
            let mut socket = socket;
            write!(socket, "waiting").expect("said");
            loop {
                thread::park();
            }
        }
        "orphan" => {
            // A child of a child is init's to reap. It lives for as long as the namespace does.
            // SAFETY: there is one thread, and the copies touch nothing.
            unsafe {
                if libc::fork() == 0 {
                    if libc::fork() != 0 {
                        libc::_exit(0);
                    }
                    loop {
                        libc::pause();
                    }
                }
            }
            String::from("forked")
        }
        _ => return None,
    })
}

/// Does it, and says the error, or `ok`.
fn attempt(scenario: &str) -> String {
    let (what, argument) = scenario.split_once(' ').unwrap_or((scenario, ""));
    let number = || argument.parse::<i64>().expect("a number");
    match what {
        "exit" => std::process::exit(i32::try_from(number()).expect("a code")),
        "abort" => std::process::abort(),
        "panic" => panic!("on purpose"),
        "syscall" => told(syscall(number(), [0; 6])),
        "open" => match fs::File::open(argument) {
            Ok(_) => String::from("ok"),
            Err(error) => error
                .raw_os_error()
                .map_or_else(String::new, |errno| name(errno).into()),
        },
        "socket" => told(syscall(
            libc::SYS_socket,
            [libc::AF_INET.into(), 1, 0, 0, 0, 0],
        )),
        "connect" => connect(),
        "fork" => told(syscall(
            libc::SYS_clone,
            [libc::SIGCHLD.into(), 0, 0, 0, 0, 0],
        )),
        "clone3" => told(syscall(libc::SYS_clone3, [0; 6])),
        "process_madvise" => told(syscall(440, [0; 6])),
        "kill" => told(syscall(libc::SYS_kill, [number(), 9, 0, 0, 0, 0])),
        "probe" => told(syscall(libc::SYS_kill, [number(), 0, 0, 0, 0, 0])),
        "tgkill" => told(syscall(libc::SYS_tgkill, [number(), number(), 9, 0, 0, 0])),
        "map" => {
            let protection = number();
            told(syscall(libc::SYS_mmap, [0, 4096, protection, 0x22, -1, 0]))
        }
        "protect" => {
            let page = syscall(libc::SYS_mmap, [0, 4096, 3, 0x22, -1, 0]).expect("a page");
            told(syscall(libc::SYS_mprotect, [page, 4096, number(), 0, 0, 0]))
        }
        "sethostname" => told(syscall(
            libc::SYS_sethostname,
            [argument.as_ptr() as i64, 4, 0, 0, 0, 0],
        )),
        "setuid" => told(syscall(libc::SYS_setuid, [number(), 0, 0, 0, 0, 0])),
        "mount" => told(syscall(
            libc::SYS_mount,
            [
                c"none".as_ptr() as i64,
                c"/".as_ptr() as i64,
                c"tmpfs".as_ptr() as i64,
                0,
                0,
                0,
            ],
        )),
        "uid" => rustix::process::getuid().to_string(),
        "thread-start" => {
            let processors = thread::available_parallelism().is_ok();
            let named = thread::Builder::new().name(String::from("extra"));
            named
                .spawn(move || format!("ok {processors}"))
                .expect("started")
                .join()
                .expect("ended")
        }
        "allocate" => {
            match Vec::<u8>::new().try_reserve_exact(usize::try_from(number()).expect("a size")) {
                Ok(()) => String::from("ok"),
                Err(_) => String::from("refused"),
            }
        }
        "output" => {
            // Descriptor 4: a memory file.
            let big = vec![0_u8; usize::try_from(number()).expect("a size")];
            told(syscall(
                libc::SYS_write,
                [4, big.as_ptr() as i64, number(), 0, 0, 0],
            ))
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        "stdout" => told(syscall(
            libc::SYS_write,
            [1, argument.as_ptr() as i64, argument.len() as i64, 0, 0, 0],
        )),
        other => panic!("no scenario {other}"),
    }
}

fn connect() -> String {
    let socket =
        syscall(libc::SYS_socket, [libc::AF_INET.into(), 1, 0, 0, 0, 0]).expect("a socket");
    let address = libc::sockaddr_in {
        sin_family: u16::try_from(libc::AF_INET).expect("a family"),
        sin_port: 80_u16.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_be_bytes([127, 0, 0, 1]).to_be(),
        },
        sin_zero: [0; 8],
    };
    told(syscall(
        libc::SYS_connect,
        [socket, ptr::from_ref(&address) as i64, 16, 0, 0, 0],
    ))
}

fn syscall(number: i64, arguments: [i64; 6]) -> io::Result<i64> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the scenarios pass pointers that are valid, or none. Calls with effects on memory
    // are made for memory nobody uses.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn told(result: io::Result<i64>) -> String {
    match result {
        Ok(_) => String::from("ok"),
        Err(error) => name(error.raw_os_error().unwrap_or(0)).to_owned(),
    }
}

fn name(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EACCES => "EACCES",
        libc::EAGAIN => "EAGAIN",
        libc::ENOSYS => "ENOSYS",
        libc::EINVAL => "EINVAL",
        libc::ENETUNREACH => "ENETUNREACH",
        _ => "another errno",
    }
}
