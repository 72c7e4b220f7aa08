//! A module of plain functions: the smallest there is.

#[proc_guest::module]
mod math {
    //! Arithmetic, and the ways in which it can go wrong.

    use std::sync::atomic::{AtomicU64, Ordering};

    /// The last number that `next_id` gave.
    static LAST_ID: AtomicU64 = AtomicU64::new(0);

    /// The sum of two numbers. It traps when they are too large for it.
    pub fn add(a: i64, b: i64) -> i64 {
        match a.checked_add(b) {
            Some(sum) => sum,
            None => panic!("{a} + {b} is more than 64 bits hold"),
        }
    }

    /// `a` divided by `b`. Division by zero is raised at the caller.
    pub fn divide(a: f64, b: f64) -> Result<f64, String> {
        if b == 0.0 {
            Err(format!("cannot divide {a} by zero"))
        } else {
            Ok(a / b)
        }
    }

    /// `x` times itself.
    pub fn square(x: f64) -> f64 {
        x * x
    }

    /// The `n`th Fibonacci number, the slow way: it keeps a worker busy.
    pub fn fib(n: u32) -> u64 {
        if n < 2 {
            u64::from(n)
        } else {
            fib(n - 1) + fib(n - 2)
        }
    }

    /// The product of the numbers from 1 to `n`, if 64 bits hold it.
    pub fn factorial(n: u32) -> Option<u64> {
        (1..=u64::from(n)).try_fold(1u64, u64::checked_mul)
    }

    /// The mean of the numbers; there is none of no numbers.
    pub fn mean(numbers: &[f64]) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "no list has so many numbers")]
        let count = numbers.len() as f64;
        if numbers.is_empty() {
            None
        } else {
            Some(numbers.iter().sum::<f64>() / count)
        }
    }

    /// The smallest and the largest of the numbers.
    pub fn extent(numbers: Vec<f64>) -> Result<Extent, Error> {
        let mut extent: Option<Extent> = None;
        for number in numbers {
            if number.is_nan() {
                return Err(Error::NotANumber);
            }
            let (low, high) = extent.map_or((number, number), |extent| (extent.low, extent.high));
            extent = Some(Extent {
                low: low.min(number),
                high: high.max(number),
            });
        }
        extent.ok_or(Error::Empty)
    }

    /// Two ends.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Extent {
        /// The smallest.
        pub low: f64,
        /// The largest.
        pub high: f64,
    }

    /// Why there is no extent.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Error {
        /// There are no numbers.
        Empty,
        /// One of them is not a number.
        NotANumber,
    }

    /// 1, then 2, then 3: the state of this instance of the module.
    pub fn next_id() -> u64 {
        LAST_ID.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Traps, and says why.
    pub fn crash(why: &str) {
        panic!("{why}");
    }
}

#[cfg(test)]
mod tests {
    use super::math;

    #[test]
    fn arithmetic() {
        assert_eq!(math::add(40, 2), 42);
        assert_eq!(math::square(1.5), 2.25);
        assert_eq!(math::fib(20), 6765);
        assert_eq!(math::factorial(20), Some(2_432_902_008_176_640_000));
        assert_eq!(math::factorial(21), None);
        assert_eq!(math::mean(&[1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!(math::mean(&[]), None);
    }

    #[test]
    fn errors_are_values() {
        assert_eq!(math::divide(1.0, 4.0), Ok(0.25));
        assert_eq!(
            math::divide(1.0, 0.0),
            Err("cannot divide 1 by zero".to_owned())
        );
        assert_eq!(math::extent(vec![]), Err(math::Error::Empty));
        assert_eq!(math::extent(vec![f64::NAN]), Err(math::Error::NotANumber));
        let extent = math::Extent {
            low: -1.0,
            high: 3.0,
        };
        assert_eq!(math::extent(vec![2.0, -1.0, 3.0]), Ok(extent));
    }

    #[test]
    fn state_stays() {
        let first = math::next_id();
        assert_eq!(math::next_id(), first + 1);
    }

    #[test]
    #[should_panic(expected = "on purpose")]
    fn a_panic_is_a_trap() {
        math::crash("on purpose");
    }
}
