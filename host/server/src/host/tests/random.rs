//! Any order of events: each accepted call has one outcome, each stream one end, nothing is left.

use proptest::prelude::*;

use super::world::World;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Connect,
    Leave(usize),
    Call {
        client: usize,
        slot: Option<u32>,
        deadline: u64,
        listens: bool,
        stream: bool,
    },
    CallWithHandle {
        client: usize,
    },
    Cancel {
        client: usize,
        call: u64,
    },
    Credit {
        client: usize,
        call: u64,
    },
    Close {
        client: usize,
        call: u64,
    },
    Feed {
        client: usize,
        call: u64,
        end: bool,
    },
    Answer {
        client: usize,
    },
    Release {
        client: usize,
    },
    Worker {
        worker: usize,
        call: usize,
        act: Act,
    },
    Die {
        worker: usize,
        hangs_up_first: bool,
    },
    Advance(u64),
    Reload(u8),
    Unload,
    /// A worker says something that may be against every rule.
    Evil {
        worker: usize,
        call: usize,
        what: u8,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Return,
    ReturnStream,
    ReturnHandle,
    Raise,
    Trap,
    Items,
    End,
    Ended,
    Ask,
    Credit,
    Close,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Return),
        3 => Just(Act::ReturnStream),
        2 => Just(Act::ReturnHandle),
        1 => Just(Act::Raise),
        1 => Just(Act::Trap),
        3 => Just(Act::Items),
        2 => Just(Act::End),
        8 => Just(Act::Ended),
        2 => Just(Act::Ask),
        1 => Just(Act::Credit),
        1 => Just(Act::Close),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (client, id) = (0..4usize, 1..6u64);
    prop_oneof![
        2 => Just(Step::Connect),
        1 => client.clone().prop_map(Step::Leave),
        9 => (client.clone(), prop::option::weighted(0.2, 0..3u32), 0..5u64, any::<bool>(), any::<bool>())
            .prop_map(|(client, slot, deadline, listens, stream)| {
                Step::Call { client, slot, deadline, listens, stream }
            }),
        1 => client.clone().prop_map(|client| Step::CallWithHandle { client }),
        1 => (client.clone(), id.clone()).prop_map(|(client, call)| Step::Cancel { client, call }),
        1 => (client.clone(), id.clone()).prop_map(|(client, call)| Step::Credit { client, call }),
        1 => (client.clone(), id.clone()).prop_map(|(client, call)| Step::Close { client, call }),
        2 => (client.clone(), id, any::<bool>())
            .prop_map(|(client, call, end)| Step::Feed { client, call, end }),
        2 => client.clone().prop_map(|client| Step::Answer { client }),
        1 => client.prop_map(|client| Step::Release { client }),
        20 => (0..8usize, 0..8usize, act())
            .prop_map(|(worker, call, act)| Step::Worker { worker, call, act }),
        1 => (0..8usize, any::<bool>())
            .prop_map(|(worker, hangs_up_first)| Step::Die { worker, hangs_up_first }),
        2 => prop_oneof![Just(10u64), Just(600), Just(3_000)].prop_map(Step::Advance),
        1 => (0..3u8).prop_map(Step::Reload),
        1 => Just(Step::Unload),
        1 => (0..8usize, 0..8usize, 0..9u8)
            .prop_map(|(worker, call, what)| Step::Evil { worker, call, what }),
    ]
}

proptest! {
    #[test]
    fn every_call_has_one_outcome(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.listen();
        }
        world.finish();
    }
}
