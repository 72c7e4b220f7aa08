//! Connections: none yet, several, and lost ones.

use futures_util::{StreamExt as _, TryStreamExt as _};
use proc_host_client::{ConnectError, Failure, Host, Level, Outcome, RequestError, StartOptions};
use proc_host_tests::processes::{self, Watched};
use proc_host_tests::wait::{block_on, soon, until};
use proc_host_tests::{binary, guest};

use super::{outcome, own};

fn serving(modules: &[&str]) -> proc_host_tests::Host {
    let mut arguments = vec!["--pool".to_owned(), "Workers=1".to_owned()];
    arguments.extend(modules.iter().map(|name| guest(name).display().to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    proc_host_tests::Host::start(&arguments)
}

async fn in_flight(host: &Host) -> u64 {
    let pools = host.ps().await.unwrap();
    pools[0].workers.iter().map(|worker| worker.in_flight).sum()
}

#[test]
fn without_a_host_there_is_no_connection() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("host.sock");
        let error = Host::connect(&path).await.unwrap_err();
        assert!(matches!(error, ConnectError::NoHost { .. }), "{error:?}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
        let error = Host::start(StartOptions::new().binary("/nonexistent/proc-host")).await;
        let error = error.unwrap_err();
        assert!(
            error.to_string().contains("/nonexistent/proc-host"),
            "{error}"
        );
        let broken = dir.path().join("broken.wasm");
        std::fs::write(&broken, "no component").unwrap();
        let options = StartOptions::new().binary(binary()).pool("Workers", 1);
        let error = Host::start(options.module(&broken)).await.unwrap_err();
        assert!(error.to_string().contains("broken"), "{error}");
    });
}

#[test]
fn a_stranger_is_refused() {
    block_on(async {
        let host = serving(&[]);
        let mut token = host.socket().into_os_string();
        token.push(".token");
        let right = std::fs::read(&token).unwrap();
        std::fs::write(&token, "00".repeat(32)).unwrap();
        let error = Host::connect(host.socket()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused(_)), "{error:?}");
        assert!(error.to_string().contains("token"), "{error}");
        std::fs::write(&token, "no token").unwrap();
        let error = Host::connect(host.socket()).await.unwrap_err();
        assert!(matches!(error, ConnectError::BadToken { .. }), "{error:?}");
        std::fs::remove_file(&token).unwrap();
        let error = Host::connect(host.socket()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Token { .. }), "{error:?}");
        std::fs::write(&token, right).unwrap();
        Host::connect(host.socket())
            .await
            .unwrap()
            .ping()
            .await
            .unwrap();
        host.stop();
    });
}

#[test]
fn a_running_host_serves_several_clients_at_once() {
    block_on(async {
        let host = serving(&["math", "sleepers"]);
        let one = Host::connect(host.socket()).await.unwrap();
        let two = Host::connect(host.socket()).await.unwrap();
        assert_eq!(one.pid(), host.pid());
        assert_eq!(one.version(), env!("CARGO_PKG_VERSION"));
        two.ping().await.unwrap();
        let (pool, other) = (one.pool("Workers"), two.pool("Workers"));
        let slow = pool
            .call::<u64>("sleepers.sleep", (3_600_000,))
            .no_deadline();
        let beside = async {
            until("it sleeps", async || {
                other.call::<u32>("sleepers.asleep", ()).await.unwrap() == 1
            })
            .await;
            for n in 0..200 {
                let (mine, theirs) = tokio::join!(
                    pool.call::<i64>("math.add", (n, 1)).into_future(),
                    other.call::<i64>("math.add", (n, -1)).into_future(),
                );
                assert_eq!((mine.unwrap(), theirs.unwrap()), (n + 1, n - 1));
            }
        };
        tokio::select! {
            ended = slow.into_future() => panic!("{ended:?}"),
            () = beside => {}
        }
        // What one of them leaves, the other does not feel.
        drop((pool, one));
        until("nothing is in flight", async || in_flight(&two).await == 0).await;
        assert_eq!(other.call::<i64>("math.add", (1, 1)).await.unwrap(), 2);
        drop((other, two));
        host.stop();
    });
}

#[test]
fn a_client_that_dies_takes_its_calls_with_it() {
    block_on(async {
        let host = serving(&["sleepers", "generators"]);
        let client = Host::connect(host.socket()).await.unwrap();
        let pool = client.pool("Workers");
        let asleep = async || pool.call::<u32>("sleepers.asleep", ()).await.unwrap();
        let mut call = host.command(&[
            "call",
            "Workers",
            "--timeout",
            "1h",
            "sleepers.sleep(3600000)",
        ]);
        let mut calling = call.spawn().unwrap();
        let mut read = host.command(&["call", "Workers", "generators.endless()"]);
        let (reader, output) = std::io::pipe().unwrap();
        let mut reading = read.stdout(output).spawn().unwrap();
        drop(read);
        let ended = async || {
            let counts: std::collections::BTreeMap<String, u64> =
                pool.call("generators.counts", ()).await.unwrap();
            (counts["started"], counts["dropped"])
        };
        until("both run", async || {
            asleep().await == 1 && ended().await == (1, 0)
        })
        .await;
        calling.kill().unwrap();
        reading.kill().unwrap();
        calling.wait().unwrap();
        reading.wait().unwrap();
        until("both are cancelled", async || {
            in_flight(&client).await == 0 && ended().await == (1, 1)
        })
        .await;
        drop((reader, client));
        host.stop();
    });
}

#[test]
fn a_host_that_dies_leaves_its_calls_unknown() {
    block_on(async {
        let (host, pool) = own(&["sleepers", "generators"]).await;
        let workers = host.ps().await.unwrap().remove(0).workers;
        let watched: Vec<Watched> = workers
            .iter()
            .map(|worker| Watched::new(worker.pid))
            .collect();
        let mut items = pool.stream::<u32>("generators.endless", ());
        assert_eq!(items.next().await.unwrap().unwrap(), 0);
        let sleeping = pool
            .call::<u64>("sleepers.sleep", (3_600_000,))
            .no_deadline();
        let kill = async {
            until("it sleeps", async || {
                pool.call::<u32>("sleepers.asleep", ()).await.unwrap() == 1
            })
            .await;
            processes::kill(host.pid());
        };
        let (ended, ()) = soon(async { tokio::join!(sleeping.into_future(), kill) }).await;
        let error = ended.unwrap_err();
        assert!(matches!(outcome(&error), Outcome::Unknown(_)), "{error}");
        let text = error.to_string();
        for words in ["sleepers.sleep", "Workers", "connection lost"] {
            assert!(text.contains(words), "{text}");
        }
        // A gapless prefix, and one end.
        let mut expected = 1;
        let end = loop {
            match soon(items.next()).await.unwrap() {
                Ok(item) => assert_eq!(item, expected),
                Err(error) => break error,
            }
            expected += 1;
        };
        assert!(matches!(outcome(&end), Outcome::Unknown(_)), "{end}");
        assert!(items.next().await.is_none());
        let error = pool.call::<u32>("sleepers.asleep", ()).await.unwrap_err();
        assert!(matches!(error.failure(), Failure::NotSent(_)), "{error:?}");
        let error = host.ping().await.unwrap_err();
        assert!(matches!(error, RequestError::Lost(_)), "{error:?}");
        watched.iter().for_each(Watched::assert_ends);
    });
}

#[test]
fn logs_are_a_stream() {
    block_on(async {
        let (host, pool) = own(&["callback", "printer"]).await;
        pool.call::<()>("callback.print", ("early",)).await.unwrap();
        let mut following = host.logs(true).await.unwrap();
        // What the host says of itself is there as well.
        let mut next = async || loop {
            let entry = soon(following.next()).await.unwrap().unwrap();
            if entry.module.is_some() {
                break entry;
            }
        };
        // What is kept comes first.
        let entry = next().await;
        assert_eq!((entry.level, entry.text.as_str()), (Level::Stdout, "early"));
        assert_eq!(entry.pool.as_deref(), Some("Workers"));
        assert_eq!(entry.module.as_deref(), Some("callback"));
        assert_eq!(entry.function.as_deref(), Some("print"));
        assert_eq!(entry.worker, Some(0));
        assert!(entry.call.is_some() && entry.time_ms > 1_600_000_000_000);
        let entry = next().await;
        assert_eq!(
            (entry.level, entry.text.as_str()),
            (Level::Stderr, "early, on stderr")
        );
        pool.call::<()>("callback.chatter", ("tea",)).await.unwrap();
        for (level, text) in [
            (Level::Trace, "tea: each step"),
            (Level::Debug, "tea: what helps to find a fault"),
            (Level::Info, "tea: the normal course"),
            (Level::Warn, "tea: have a look"),
            (Level::Error, "tea: this went wrong"),
        ] {
            let entry = next().await;
            assert_eq!((entry.level, entry.text.as_str()), (level, text));
        }
        // Half a line is a line at the end of its call at the latest.
        pool.call::<()>("printer.partial", ("half",)).await.unwrap();
        assert_eq!(next().await.text, "half");
        let kept: Vec<_> = host.logs(false).await.unwrap().try_collect().await.unwrap();
        let guests = kept.iter().filter(|entry| entry.module.is_some());
        assert_eq!(guests.count(), 8);
        assert_eq!(kept.last().unwrap().text, "half");
    });
}
