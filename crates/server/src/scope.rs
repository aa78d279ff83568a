//! What is known about the request under way, for everything that runs inside it.

use std::net::IpAddr;
use std::sync::Arc;

use vestibule_core::RequestId;

use crate::framing::ConnState;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) id: RequestId,
    pub(crate) client: IpAddr,
    pub(crate) connection: Arc<ConnState>,
}

tokio::task_local! {
    pub(crate) static CURRENT: Scope;
}

/// The id of the request that the calling task serves: for log lines.
#[must_use]
pub fn current_request() -> Option<RequestId> {
    CURRENT.try_with(|scope| scope.id).ok()
}

/// The request that the calling task serves. Outside of one, an id of zeros and no address:
/// that is a mistake of ours which must not cost the caller an answer.
pub(crate) fn current() -> Scope {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| Scope {
        id: RequestId::new(uuid::Uuid::nil()),
        client: IpAddr::from([0, 0, 0, 0]),
        connection: Arc::default(),
    })
}
