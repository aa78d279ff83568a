//! What all requests share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use ipnet::IpNet;
use metrics_exporter_prometheus::BuildError;
use vestibule_broker::Broker;
use vestibule_core::store::Stores;

use crate::limits::{Limiter, Limits};
use crate::metrics::Metrics;

/// How the server is set up. All but the connection limits can be changed while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The origin under which clients reach the broker, for instance `https://id.example.com`.
    pub public_url: String,
    /// Whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How much one client may ask.
    pub limits: Limits,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// How many requests may be under way at once; what comes beyond is shed.
    pub max_in_flight: usize,
    /// How long readiness is refused before the listener closes at a stop.
    pub drain: Duration,
}

/// The part that a reload replaces.
pub(crate) struct Live {
    pub(crate) settings: Settings,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) strict_transport: Option<HeaderValue>,
}

impl Live {
    fn new(settings: Settings) -> Self {
        let limiter = Arc::new(Limiter::new(settings.limits));
        // RFC 6797 §7.2: only where the broker is reached by TLS.
        let strict_transport = settings
            .public_url
            .starts_with("https://")
            .then(|| HeaderValue::from_static("max-age=31536000"));
        Self { settings, limiter, strict_transport }
    }
}

/// Everything that outlives a request.
pub(crate) struct Shared {
    pub(crate) broker: Arc<Broker>,
    pub(crate) stores: Arc<dyn Stores>,
    pub(crate) metrics: Metrics,
    pub(crate) ready: AtomicBool,
    pub(crate) openapi: Bytes,
    in_flight: AtomicUsize,
    live: RwLock<Arc<Live>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("broker", &self.broker).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(
        broker: Arc<Broker>,
        stores: Arc<dyn Stores>,
        settings: Settings,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            broker,
            stores,
            metrics: Metrics::new()?,
            ready: AtomicBool::new(true),
            openapi: Bytes::from(crate::openapi::document()),
            in_flight: AtomicUsize::new(0),
            live: RwLock::new(Arc::new(Live::new(settings))),
        })
    }

    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn reload(&self, settings: Settings) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live.settings.limits == settings.limits {
            // The same limits keep their counters: a reload forgives nobody.
            let limiter = Arc::clone(&live.limiter);
            *live = Arc::new(Live { limiter, ..Live::new(settings) });
        } else {
            *live = Arc::new(Live::new(settings));
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place among the requests under way, if there is one left.
    pub(crate) fn enter(self: &Arc<Self>, max: usize) -> Option<Place> {
        // Counted first, so that the entrants of one moment cannot all see the last place free.
        let place = Place(Arc::clone(self));
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        (before < max).then_some(place)
    }
}

/// A request under way; gives its place back when dropped.
pub(crate) struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
