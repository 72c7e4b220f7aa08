//! Every way in which a guest can go wrong.

#[proc_guest::module]
mod faults {
    //! Ways to go wrong.

    use std::hint::black_box;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use proc_guest::{Stream, stream, time};

    static CALLS: AtomicU32 = AtomicU32::new(0);

    /// Goes well: what a test calls to see that the rest is unharmed.
    pub fn ping() -> String {
        "pong".to_owned()
    }

    /// How often it was called in this instance: 1 tells that the instance is new.
    pub fn calls() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Panics with a message, which Rust prints to stderr before it traps.
    pub fn panic(message: &str) {
        panic!("{message}");
    }

    /// Panics some calls deep, for the backtrace.
    pub fn panic_deep(depth: u32) -> u32 {
        descend(depth)
    }

    #[inline(never)]
    fn descend(depth: u32) -> u32 {
        assert!(depth != 0, "at the bottom");
        black_box(descend(depth - 1)) + 1
    }

    /// The `unreachable` instruction, without a word.
    pub fn unreachable() {
        #[cfg(target_arch = "wasm32")]
        core::arch::wasm32::unreachable();
    }

    /// An index out of bounds.
    pub fn out_of_bounds(index: u32) -> u8 {
        black_box([1u8, 2, 3])[index as usize]
    }

    /// A read far outside of the memory.
    #[expect(unsafe_code, reason = "what it is for is the trap")]
    pub fn wild_read() -> u8 {
        // SAFETY: there is none. Within wasm the read traps; natively nobody calls this.
        unsafe { black_box(usize::MAX as *const u8).read_volatile() }
    }

    /// Calls itself until the engine's stack ends.
    pub fn overflow_stack(depth: u64) -> u64 {
        recurse(depth)
    }

    #[expect(
        unconditional_recursion,
        reason = "what it is for is the end of the stack"
    )]
    #[inline(never)]
    fn recurse(depth: u64) -> u64 {
        recurse(depth + 1).rotate_left(3) ^ depth
    }

    /// Calls itself until the stack in its memory ends, which is an access out of bounds.
    pub fn overflow_memory_stack() -> u64 {
        recurse_in_memory(0)
    }

    #[expect(
        unconditional_recursion,
        reason = "what it is for is the end of the stack"
    )]
    #[inline(never)]
    fn recurse_in_memory(depth: u64) -> u64 {
        let frame = black_box([depth; 16]);
        recurse_in_memory(depth + 1) + frame[3]
    }

    /// Never returns.
    pub fn spin() {
        spin_on();
    }

    /// Never returns, and never waits, in an async function.
    pub async fn spin_async() {
        spin_on();
    }

    /// Waits, and then never returns.
    pub async fn spin_after(ms: u64) {
        time::sleep(Duration::from_millis(ms)).await;
        spin_on();
    }

    #[expect(clippy::empty_loop, reason = "what it is for is to have no end")]
    fn spin_on() {
        loop {}
    }

    /// Waits longer than anybody.
    pub async fn sleep_forever() {
        time::sleep(Duration::from_secs(1 << 30)).await;
    }

    /// Waits for nothing that could come.
    pub async fn pending_forever() {
        std::future::pending::<()>().await;
    }

    /// Takes memory, `step` bytes at a time, until there is none, which aborts.
    pub fn exhaust_memory(step: u32) -> u64 {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(vec![1; step as usize]);
            black_box(&hoard);
        }
    }

    /// Takes `bytes` of memory, touches them and keeps them; false if there are not so many.
    pub fn hoard(bytes: u32) -> bool {
        let mut memory: Vec<u8> = Vec::new();
        if memory.try_reserve_exact(bytes as usize).is_err() {
            return false;
        }
        memory.resize(bytes as usize, 1);
        black_box(memory.leak());
        true
    }

    /// Ends the process, as it thinks.
    pub fn exit(code: u8) {
        std::process::exit(code.into());
    }

    /// Aborts.
    pub fn abort() {
        std::process::abort();
    }

    /// Waits and then traps; others may wait beside it.
    pub async fn trap_after(ms: u64) {
        time::sleep(Duration::from_millis(ms)).await;
        panic!("trapped after {ms} ms");
    }

    /// Waits and then returns.
    pub async fn wait(ms: u64) -> u64 {
        time::sleep(Duration::from_millis(ms)).await;
        ms
    }

    /// Raises, which is no fault.
    pub fn raise(text: &str) -> Result<(), String> {
        Err(text.to_owned())
    }

    /// A generator that never returns from producing item `at`.
    pub fn spin_at(at: u32) -> impl Iterator<Item = u32> {
        (0..).inspect(move |item| {
            if *item == at {
                spin_on();
            }
        })
    }

    /// A generator that never ends and never gives an item.
    pub fn silent() -> impl futures_util::Stream<Item = u32> {
        stream::generate(async |_items| std::future::pending().await)
    }

    /// Takes a stream, reads one item, and traps.
    pub async fn trap_reading(mut items: Stream<u32>) -> u32 {
        let first = items.next().await;
        panic!("read {first:?}");
    }

    /// Takes a stream and never reads it.
    pub async fn ignore(items: Stream<u32>, ms: u64) -> u64 {
        time::sleep(Duration::from_millis(ms)).await;
        drop(items);
        ms
    }

    /// A string as long as that.
    pub fn long_text(bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }

    /// A list with so many members.
    pub fn long_list(members: u32) -> Vec<Option<u32>> {
        (0..members).map(Some).collect()
    }
}
