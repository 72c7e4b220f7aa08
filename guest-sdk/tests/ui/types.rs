//! Types that cannot cross to the caller.

#[proc_guest::module]
mod types {
    use std::time::Duration;

    pub fn foreign(_wait: Duration) {}

    pub fn machine_word() -> usize {
        0
    }

    pub fn borrowed(_names: Vec<&str>) {}

    pub fn array() -> [u8; 4] {
        [0; 4]
    }

    pub fn deep(_pairs: Option<Vec<(u32, u128)>>) {}

    pub fn unnamed(_pair: Unnamed) {}

    pub struct Unnamed(u8, u8);

    pub fn with_fields() -> Shape {
        Shape::Circle { radius: 1.0 }
    }

    pub enum Shape {
        Circle { radius: f64 },
    }

    pub fn endless(_list: Link) {}

    pub struct Link {
        pub next: Option<Vec<Link>>,
    }

    pub fn of_anything(_value: Wrapped<u32>) {}

    pub struct Wrapped<T> {
        pub value: T,
    }
}

fn main() {}
