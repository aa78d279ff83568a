//! The server as a whole: two listeners, from start to a graceful stop.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::metrics::{Counter, Gauge};
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use vestibule_broker::Broker;
use vestibule_core::store::Stores;

use crate::guarded_io::Deadlines;
use crate::listener::{ConnInfo, ListenOptions, accept_loop};
use crate::state::{Settings, Shared};
use crate::{admin, front, routes};

/// The two HTTP faces of a broker: the public one and the one for its operator.
#[derive(Debug, Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

/// How many connections the operator's face takes.
const ADMIN_CONNECTIONS: usize = 64;

/// How long accepted requests may take to finish at a stop.
const GRACE: Duration = Duration::from_secs(30);

impl Server {
    /// A server for a broker and its store.
    ///
    /// # Errors
    /// When the metrics exporter cannot be set up.
    pub fn new(
        broker: Arc<Broker>,
        stores: Arc<dyn Stores>,
        settings: Settings,
    ) -> io::Result<Self> {
        let shared = Shared::new(broker, stores, settings).map_err(io::Error::other)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Changes public URL, proxies and limits of a running server. What is under way is served
    /// by the old ones.
    pub fn reload(&self, settings: Settings) {
        self.shared.reload(settings);
    }

    /// Serves until `stop` is done, then stops gracefully: readiness is refused, after the
    /// drain time the public listener closes, and what was accepted is finished for up to 30 s.
    pub async fn run(
        &self,
        public: TcpListener,
        admin: TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) {
        let (stop_public, public_stopped) = watch::channel(false);
        let (stop_admin, admin_stopped) = watch::channel(false);
        let settings = self.shared.live().settings.clone();
        let shared = Arc::clone(&self.shared);
        let options = ListenOptions {
            name: "public",
            max_connections: settings.max_connections,
            farewell: Arc::new(move |why| front::farewell(&shared, why)),
            draining: Arc::default(),
            deadlines: Deadlines::default(),
            grace: GRACE,
            connections: self.shared.metrics.connections.clone(),
            refused: self.shared.metrics.connections_refused.clone(),
        };
        let draining = Arc::clone(&options.draining);
        let admin_options = ListenOptions {
            name: "admin",
            draining: Arc::default(),
            max_connections: ADMIN_CONNECTIONS,
            connections: Gauge::noop(),
            refused: Counter::noop(),
            ..options.clone()
        };
        let public = accept_loop(public, self.public_service(), options, public_stopped);
        let admin = accept_loop(admin, self.admin_service(), admin_options, admin_stopped);
        let control = async {
            stop.await;
            self.shared.ready.store(false, Ordering::Release);
            draining.store(true, Ordering::Release);
            tracing::info!("stopping: readiness is refused, accepted requests are finished");
            tokio::time::sleep(self.shared.live().settings.drain).await;
            let _ = stop_public.send(true);
        };
        let serving = async {
            let report = public.await;
            // The operator's face stays until the last request is served, so that the stop can
            // be watched.
            let _ = stop_admin.send(true);
            report
        };
        let upkeep = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.shared.metrics.upkeep();
            }
        };
        let work = async { tokio::join!(control, serving, admin) };
        let ((), report, _) = tokio::select! {
            done = work => done,
            never = upkeep => never,
        };
        tracing::info!(served = report.served, aborted = report.aborted, "stopped serving");
    }

    fn public_service(
        &self,
    ) -> impl Fn(Request<Incoming>, ConnInfo) -> Served + Clone + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        let router = routes::router(Arc::clone(&shared));
        move |request, connection| {
            let served = front::serve(Arc::clone(&shared), router.clone(), request, connection);
            Box::pin(served)
        }
    }

    fn admin_service(
        &self,
    ) -> impl Fn(Request<Incoming>, ConnInfo) -> Served + Clone + Send + Sync + 'static {
        let router = admin::router(Arc::clone(&self.shared));
        move |request, connection| Box::pin(admin::serve(router.clone(), request, connection))
    }
}

type Served = std::pin::Pin<
    Box<dyn Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send>,
>;
