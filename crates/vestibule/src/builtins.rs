//! The kinds of provider that come with the broker.

use vestibule_adapter_anonymous::AnonymousConfig;
use vestibule_adapter_no_login::NoLoginConfig;
use vestibule_core::Registry;

/// A registry of every kind that comes with the broker; add your own with [`Registry::with`].
#[must_use]
pub fn builtins() -> Registry {
    Registry::default().with::<AnonymousConfig>().with::<NoLoginConfig>()
}
