//! Rate limits: how often one network may call one operation of one project.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;
use vestibule_core::{Operation, ProjectId};

use crate::address::ClientNet;

/// The buckets that are remembered at a time. Beyond it the coldest are forgotten, so the memory
/// is bounded and whoever hammers stays known.
const MAX_BUCKETS: u64 = 100_000;

/// So many calls in a period. All of them may come at once; after that, calls become possible
/// again at an even pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The calls.
    pub count: NonZeroU32,
    /// The period.
    pub per: Duration,
}

impl Rate {
    /// Reads a rate such as `60/min`. The units are `s` or `sec`, `min`, and `h` or `hour`.
    ///
    /// # Errors
    ///
    /// The text is not a rate; the message says what one looks like.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let error = || RateError { text: text.to_owned() };
        let (count, unit) = text.split_once('/').ok_or_else(error)?;
        let seconds = match unit.trim() {
            "s" | "sec" => 1,
            "min" => 60,
            "h" | "hour" => 3600,
            _ => return Err(error()),
        };
        let count = count.trim().parse().map_err(|_| error())?;
        Ok(Self { count, per: Duration::from_secs(seconds) })
    }

    const fn per_minute(count: u32) -> Self {
        let count = match NonZeroU32::new(count) {
            Some(count) => count,
            None => NonZeroU32::MIN,
        };
        Self { count, per: Duration::from_secs(60) }
    }

    fn quota(self) -> Option<Quota> {
        // A period of zero would be no limit at all.
        let pace = self.per.max(Duration::from_millis(1)) / self.count.get();
        Quota::with_period(pace.max(Duration::from_nanos(1))).map(|q| q.allow_burst(self.count))
    }
}

/// The text is not a [`Rate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateError {
    text: String,
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a rate: write a count of at least 1, a slash and one of s, sec, min, h \
             or hour, for example `60/min`",
            self.text
        )
    }
}

impl std::error::Error for RateError {}

/// The rate of each class of operations. `None` switches the limit of a class off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations that make, change or delete users.
    pub register: Option<Rate>,
    /// Operations that make or end sessions.
    pub login: Option<Rate>,
    /// Operations on passwords.
    pub password: Option<Rate>,
    /// Everything else.
    pub read: Option<Rate>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            register: Some(Rate::per_minute(60)),
            login: Some(Rate::per_minute(60)),
            password: Some(Rate::per_minute(10)),
            read: Some(Rate::per_minute(1200)),
        }
    }
}

impl Limits {
    fn rate_of(&self, operation: Operation) -> Option<Rate> {
        match operation {
            Operation::Register | Operation::Update | Operation::Erase => self.register,
            Operation::Login
            | Operation::Refresh
            | Operation::Logout
            | Operation::Begin
            | Operation::Complete => self.login,
            Operation::ChangePassword
            | Operation::ForgotPassword
            | Operation::ConfirmForgotPassword => self.password,
            _ => self.read,
        }
    }

    /// The time after which every bucket that nobody used is full again.
    fn longest_period(&self) -> Duration {
        let rates = [self.register, self.login, self.password, self.read];
        let longest = rates.into_iter().flatten().map(|rate| rate.per).max();
        longest.unwrap_or_default().max(Duration::from_secs(1))
    }
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    /// The project that is called.
    pub(crate) project: ProjectId,
    /// The operation that is called.
    pub(crate) operation: Operation,
    /// The network that calls.
    pub(crate) net: ClientNet,
}

/// Counts calls. To change the limits, replace it: the counts start anew.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    buckets: Cache<Bucket, Arc<DefaultDirectRateLimiter>>,
}

impl Limiter {
    /// A limiter that has seen no call.
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with_capacity(limits, MAX_BUCKETS)
    }

    fn with_capacity(limits: Limits, capacity: u64) -> Self {
        // A bucket that is forgotten for being idle was full, so forgetting it gives nobody more
        // than they had.
        let buckets =
            Cache::builder().max_capacity(capacity).time_to_idle(limits.longest_period()).build();
        Self { limits, buckets }
    }

    /// Counts a call.
    ///
    /// # Errors
    ///
    /// The call is one too many; the number of whole seconds, at least one, after which another
    /// is possible.
    pub(crate) fn check(&self, bucket: Bucket) -> Result<(), u32> {
        let Some(quota) = self.limits.rate_of(bucket.operation).and_then(Rate::quota) else {
            return Ok(());
        };
        // Only the first call of a bucket pays for the entry and its key on the heap.
        let limiter = self.buckets.get(&bucket).unwrap_or_else(|| {
            self.buckets.get_with(bucket, || Arc::new(RateLimiter::direct(quota)))
        });
        limiter.check().map_err(|until| {
            let wait = until.wait_time_from(limiter.clock().now());
            u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::num::NonZeroU32;
    use std::time::Duration;

    use uuid::Uuid;
    use vestibule_core::{Operation, ProjectId};

    use super::{Bucket, Limiter, Limits, Rate};
    use crate::address::ClientNet;

    fn bucket(project: u128, operation: Operation, address: u32) -> Bucket {
        Bucket {
            project: ProjectId::new(Uuid::from_u128(project)),
            operation,
            net: ClientNet::of(IpAddr::V4(Ipv4Addr::from_bits(address))),
        }
    }

    /// Three calls an hour, so that none comes back while a test runs.
    fn three() -> Limits {
        let rate = Some(Rate::parse("3/h").unwrap());
        Limits { register: rate, login: rate, password: rate, read: rate }
    }

    #[test]
    fn a_rate_is_read_or_explained() {
        let rate = |count, seconds| Rate {
            count: NonZeroU32::new(count).unwrap(),
            per: Duration::from_secs(seconds),
        };
        assert_eq!(Rate::parse("60/min"), Ok(rate(60, 60)));
        assert_eq!(Rate::parse(" 5 / s "), Ok(rate(5, 1)));
        assert_eq!(Rate::parse("5/sec"), Ok(rate(5, 1)));
        assert_eq!(Rate::parse("1/h"), Rate::parse("1/hour"));
        for text in ["", "60", "0/min", "-1/min", "60/m", "60/day", "x/min", "60/min/s", "1.5/s"] {
            let message = Rate::parse(text).unwrap_err().to_string();
            assert!(message.contains(&format!("`{text}`")) && message.contains("60/min"));
        }
    }

    #[test]
    fn above_the_rate_a_call_is_refused_with_a_wait() {
        let limiter = Limiter::new(three());
        let one = bucket(1, Operation::Login, 1);
        for _ in 0..3 {
            assert_eq!(limiter.check(one), Ok(()));
        }
        for _ in 0..3 {
            let wait = limiter.check(one).unwrap_err();
            assert!((1190..=1200).contains(&wait), "{wait}");
        }
        for other in [
            bucket(2, Operation::Login, 1),
            bucket(1, Operation::Refresh, 1),
            bucket(1, Operation::Login, 2),
        ] {
            assert_eq!(limiter.check(other), Ok(()), "others are not touched");
        }
    }

    #[test]
    fn the_wait_is_never_zero() {
        let rate = Some(Rate::parse("1/s").unwrap());
        let limiter = Limiter::new(Limits { read: rate, ..three() });
        let one = bucket(1, Operation::Profile, 1);
        assert_eq!((limiter.check(one), limiter.check(one)), (Ok(()), Err(1)));
    }

    #[test]
    fn a_limit_can_be_switched_off() {
        let limiter = Limiter::new(Limits { read: None, ..three() });
        for _ in 0..100 {
            assert_eq!(limiter.check(bucket(1, Operation::Check, 1)), Ok(()));
        }
    }

    #[test]
    fn each_operation_has_the_rate_of_its_class() {
        let limits = Limits::default();
        for (operation, count) in [
            (Operation::Register, 60),
            (Operation::Update, 60),
            (Operation::Erase, 60),
            (Operation::Login, 60),
            (Operation::Begin, 60),
            (Operation::ChangePassword, 10),
            (Operation::ForgotPassword, 10),
            (Operation::ConfirmForgotPassword, 10),
            (Operation::Check, 1200),
            (Operation::Profile, 1200),
        ] {
            assert_eq!(limits.rate_of(operation).unwrap().count.get(), count, "{operation}");
        }
    }

    #[test]
    fn b13_the_buckets_are_bounded_and_a_hot_one_is_kept() {
        let limiter = Limiter::with_capacity(three(), 100);
        let hot = bucket(1, Operation::Login, 0);
        for _ in 0..3 {
            assert_eq!(limiter.check(hot), Ok(()));
        }
        for address in 1..5000 {
            assert_eq!(limiter.check(bucket(1, Operation::Login, address)), Ok(()));
            assert!(limiter.check(hot).is_err(), "forgotten after {address} others");
        }
        limiter.buckets.run_pending_tasks();
        assert!(limiter.buckets.entry_count() <= 100);
    }
}
