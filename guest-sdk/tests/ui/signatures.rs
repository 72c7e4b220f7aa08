//! Signatures that cannot be exported.

#[proc_guest::module]
mod signatures {
    use proc_guest::Stream;

    pub fn generic<T: ToString>(value: T) -> String {
        value.to_string()
    }

    pub fn with_self(self) {}

    pub fn unnamed((_a, _b): (u32, u32)) {}

    pub fn mutable(_text: &mut String) {}

    pub unsafe fn careless() {}

    #[cfg(test)]
    pub fn sometimes() {}

    pub fn r#gen() -> u32 {
        0
    }

    pub fn sync_reader(_numbers: Stream<u32>) -> u32 {
        0
    }

    pub fn fails_first() -> Result<impl Iterator<Item = u32>, String> {
        Ok(0..3)
    }

    pub fn future() -> impl Future<Output = u32> {
        async { 0 }
    }

    pub fn one_name() {}

    pub fn one__name() {}
}

fn main() {}
