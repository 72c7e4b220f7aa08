//! Resources: things that stay in a worker.

use proc_host_client::{DeniedReason, Handle, Pool};
use proc_host_tests::wait::{block_on, until};

use super::{own, own_with};

async fn alive(pool: &Pool) -> u32 {
    pool.call("types.counter.alive", ())
        .worker(0)
        .await
        .unwrap()
}

async fn until_alive(pool: &Pool, count: u32) {
    until("released resources are dropped", async || {
        alive(pool).await == count
    })
    .await;
}

#[test]
fn a_resource_has_methods() {
    block_on(async {
        let (_host, pool) = own(&["types"]).await;
        let counter: Handle = pool.call("types.counter", (5,)).await.unwrap();
        assert_eq!(
            counter.call::<u32>("counter.increment", ()).await.unwrap(),
            6
        );
        assert_eq!(
            counter
                .call::<u32>("counter.value-later", ())
                .await
                .unwrap(),
            6
        );
        let other: Handle = pool.call("types.make-counter", (10,)).await.unwrap();
        assert_eq!(
            counter.call::<u32>("counter.add", (&other,)).await.unwrap(),
            16
        );
        let value: u32 = pool.call("types.counter.value", (&counter,)).await.unwrap();
        assert_eq!(value, 16);
        assert_eq!(alive(&pool).await, 2);
        // A static function takes both and gives one.
        let merged: Handle = pool
            .call("types.counter.merge", (&counter, &other))
            .await
            .unwrap();
        assert_eq!(merged.call::<u32>("counter.value", ()).await.unwrap(), 26);
        assert_eq!(alive(&pool).await, 1);
        let error = counter.call::<u32>("counter.value", ()).await.unwrap_err();
        assert_eq!(
            error.denied().unwrap().reason,
            DeniedReason::UnknownHandle,
            "{error}"
        );
        assert_eq!(
            merged.call::<u32>("counter.increment", ()).await.unwrap(),
            27
        );
        let consumed: u32 = pool.call("types.consume-counter", (merged,)).await.unwrap();
        assert_eq!(consumed, 27);
        assert_eq!(alive(&pool).await, 0);
    });
}

#[test]
fn a_dropped_handle_is_released() {
    block_on(async {
        let (host, pool) = own(&["types"]).await;
        let first: Handle = pool.call("types.counter", (1,)).await.unwrap();
        let copy = first.clone();
        drop(first);
        assert_eq!(copy.call::<u32>("counter.value", ()).await.unwrap(), 1);
        drop(copy);
        until_alive(&pool, 0).await;
        let many: Vec<Handle> = pool
            .call("types.make-counters", ([1, 2, 3],))
            .await
            .unwrap();
        assert_eq!(many[2].call::<u32>("counter.value", ()).await.unwrap(), 3);
        assert_eq!(alive(&pool).await, 3);
        drop(many);
        until_alive(&pool, 0).await;
        // A value that is never looked into, and a call that is dropped before it ends.
        let ended = pool
            .call::<()>("types.make-counters", ([1, 2, 3],))
            .outcome()
            .await
            .unwrap();
        assert_eq!(alive(&pool).await, 3);
        drop(ended);
        until_alive(&pool, 0).await;
        for _ in 0..20 {
            drop(
                pool.call::<Handle>("types.counter", (1,))
                    .start(false)
                    .unwrap(),
            );
        }
        host.ping().await.unwrap();
        until_alive(&pool, 0).await;
    });
}

#[test]
fn handles_of_a_client_that_has_gone_are_released() {
    block_on(async {
        let (host, pool) = own(&["types"]).await;
        let other = proc_host_client::Host::connect(host.socket())
            .await
            .unwrap();
        let counter: Handle = other
            .pool("Workers")
            .call("types.counter", (1,))
            .await
            .unwrap();
        assert_eq!(alive(&pool).await, 1);
        // It is nobody else's.
        let error = pool
            .call::<u32>("types.counter.value", (&counter,))
            .await
            .unwrap_err();
        assert_eq!(
            error.denied().unwrap().reason,
            DeniedReason::UnknownHandle,
            "{error}"
        );
        drop((counter, other));
        until_alive(&pool, 0).await;
    });
}

#[test]
fn a_handle_belongs_to_its_worker_and_module() {
    block_on(async {
        let (_host, pool) = own_with(2, &["types", "cursor"]).await;
        let here: Handle = pool.call("types.counter", (1,)).worker(0).await.unwrap();
        let there: Handle = pool.call("types.counter", (2,)).worker(1).await.unwrap();
        for _ in 0..10 {
            // Without a word about workers it goes to where it is.
            assert_eq!(there.call::<u32>("counter.value", ()).await.unwrap(), 2);
            assert_eq!(here.call::<u32>("counter.value", ()).await.unwrap(), 1);
        }
        let error = here
            .call::<u32>("counter.value", ())
            .worker(1)
            .await
            .unwrap_err();
        assert!(error.denied().is_some(), "{error}");
        let error = here
            .call::<u32>("counter.add", (&there,))
            .await
            .unwrap_err();
        assert!(error.denied().is_some(), "{error}");
        let numbers: Handle = pool.call("cursor.count", (3,)).worker(0).await.unwrap();
        let error = here
            .call::<u32>("counter.add", (&numbers,))
            .await
            .unwrap_err();
        assert!(error.denied().is_some(), "{error}");
        assert_eq!(here.call::<u32>("counter.value", ()).await.unwrap(), 1);
    });
}

#[test]
fn a_handle_is_given_away_once() {
    block_on(async {
        let (_host, pool) = own(&["types"]).await;
        let counter: Handle = pool.call("types.counter", (1,)).await.unwrap();
        let twice = pool.call::<Handle>("types.counter.merge", (&counter, &counter));
        let error = twice.await.unwrap_err();
        assert!(error.denied().is_some(), "{error}");
        assert_eq!(counter.call::<u32>("counter.value", ()).await.unwrap(), 1);
        assert_eq!(alive(&pool).await, 1);
        assert_eq!(
            pool.call::<u32>("types.consume-counter", (&counter,))
                .await
                .unwrap(),
            1
        );
        let again = pool.call::<u32>("types.consume-counter", (&counter,));
        let error = again.await.unwrap_err();
        assert_eq!(
            error.denied().unwrap().reason,
            DeniedReason::UnknownHandle,
            "{error}"
        );
    });
}
