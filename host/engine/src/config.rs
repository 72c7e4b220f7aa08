//! The engine's configuration.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Config, CustomCodeMemory, Engine, PoolingAllocationConfig, Result};

/// How often a worker's ticker raises the engine's epoch: the longest a busy store keeps others of
/// its worker waiting.
pub const TICK: Duration = Duration::from_millis(1);

/// Component instances alive at once in one worker.
pub const INSTANCES: u32 = 256;

/// Core instances, memories and tables one component may be made of. Toolchains make three to
/// eight core instances; the memories of a component from a toolchain are one.
const CORE_INSTANCES_EACH: u32 = 64;

/// Native stack a guest may use; the rest of [`ASYNC_STACK`] is for host functions it calls.
const WASM_STACK: usize = 512 << 10;
const ASYNC_STACK: usize = 2 << 20;

/// The engine of a compiler process. Code it makes can be looked at and written out, but never run:
/// no memory of that process ever becomes executable.
pub fn compiler() -> Result<Engine> {
    let mut config = common();
    config.with_custom_code_memory(Some(Arc::new(Inert)));
    Engine::new(&config)
}

/// Code memory that stays data.
struct Inert;

impl CustomCodeMemory for Inert {
    fn required_alignment(&self) -> usize {
        1
    }

    fn publish_executable(&self, _: *const u8, _: usize) -> Result<()> {
        Ok(())
    }

    fn unpublish_executable(&self, _: *const u8, _: usize) -> Result<()> {
        Ok(())
    }
}

/// The engine of a worker process: as the compiler's, with a pool for its instances.
pub fn worker() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * 8)
        .total_memories(INSTANCES * 2)
        .total_tables(INSTANCES * 4)
        .total_stacks(INSTANCES * 8)
        .max_core_instances_per_component(CORE_INSTANCES_EACH)
        .max_memories_per_component(8)
        .max_tables_per_component(CORE_INSTANCES_EACH);
    let mut config = common();
    config.allocation_strategy(pool);
    Engine::new(&config)
}

fn common() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .wasm_component_model_map(true)
        .memory_init_cow(true)
        .generate_address_map(true);
    config
}
