//! How commands find their host.

use std::path::PathBuf;

use clap::Args;
use proc_host_client::{Host, default_socket};

use crate::failure::Failed;

/// Which host.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The host's socket [default: under $XDG_RUNTIME_DIR]
    #[arg(long, value_name = "PATH", env = "PROC_HOST_SOCKET")]
    socket: Option<PathBuf>,
}

impl Which {
    pub(crate) async fn connect(&self) -> Result<Host, Failed> {
        let path = self.socket.clone().unwrap_or_else(default_socket);
        Ok(Host::connect(path).await?)
    }
}
