//! The host over real processes and sockets; workers and compilers are played by [`roles`].

#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::print_stdout, reason = "this is the test harness")]

mod calls;
mod life;
mod peer;
mod roles;
mod served;

use std::process::ExitCode;
use std::time::Instant;

use proc_host_server::Stop;

use self::served::Served;

/// Not a test: calls per second through real processes, with no work in them.
fn throughput(window: usize, calls: usize) {
    let host = Served::start(2);
    let mut client = host.connect();
    let began = Instant::now();
    client.pipeline("fake.echo", window, calls);
    let took = began.elapsed();
    println!(
        "window {window}: {:.0} calls/s",
        calls as f64 / took.as_secs_f64()
    );
    host.stop(Stop::Now);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("launcher") => return proc_host_jail::launcher_main(),
        Some("worker") => return roles::worker(),
        Some("compile") => return roles::compiler(),
        Some("throughput") => {
            throughput(1, 20_000);
            throughput(256, 3_000_000);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let tests: &[(&str, fn())] = &[
        ("a_call_returns", calls::a_call_returns),
        ("denials_say_why", calls::denials_say_why),
        (
            "a_dead_worker_is_told_and_replaced",
            calls::a_dead_worker_is_told_and_replaced,
        ),
        (
            "deadlines_and_cancels_are_answered",
            calls::deadlines_and_cancels_are_answered,
        ),
        (
            "a_worker_that_does_not_let_go_is_killed",
            calls::a_worker_that_does_not_let_go_is_killed,
        ),
        (
            "streams_and_callbacks_cross",
            calls::streams_and_callbacks_cross,
        ),
        ("modules_come_and_go", life::modules_come_and_go),
        (
            "explicit_modules_that_do_not_load_stop_the_start",
            life::explicit_modules_that_do_not_load_stop_the_start,
        ),
        ("strangers_are_refused", life::strangers_are_refused),
        (
            "logs_are_kept_and_followed",
            life::logs_are_kept_and_followed,
        ),
        (
            "stopping_lets_calls_end_and_a_second_stop_does_not",
            life::stopping_lets_calls_end_and_a_second_stop_does_not,
        ),
        (
            "an_owner_takes_the_host_along",
            life::an_owner_takes_the_host_along,
        ),
    ];
    // One after the other: each looks at the processes that are left.
    for (name, test) in tests {
        if arguments
            .first()
            .is_none_or(|filter| name.contains(filter.as_str()))
        {
            println!("test {name}");
            test();
        }
    }
    ExitCode::SUCCESS
}
