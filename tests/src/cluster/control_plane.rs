//! etcd, API server, controller manager and scheduler, taken away and brought back.

use anyhow::{Result, ensure};

use crate::cluster::Cluster;

/// A cluster without its control plane: the nodes go on by themselves. It comes back when this is
/// dropped.
#[derive(Debug)]
pub struct StoppedControlPlane {
    cluster: Cluster,
    stopped: bool,
}

impl Cluster {
    /// Cuts the control plane's power.
    ///
    /// # Errors
    /// When that fails.
    pub async fn stop_control_plane(&self) -> Result<StoppedControlPlane> {
        let stopped = StoppedControlPlane {
            cluster: self.clone(),
            stopped: true,
        };
        self.control_plane("stop").await?;
        Ok(stopped)
    }

    async fn control_plane(&self, action: &str) -> Result<()> {
        let mut script = self.script("control-plane.sh");
        let said = self.run(script.arg(action), None).await?;
        ensure!(
            said.success,
            "control-plane.sh {action}: {}",
            said.complaint
        );
        Ok(())
    }
}

impl StoppedControlPlane {
    /// Brings it back, with everything that it knew. Returns when the API server serves.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn start(mut self) -> Result<()> {
        self.stopped = false;
        self.cluster.control_plane("start").await
    }
}

impl Drop for StoppedControlPlane {
    fn drop(&mut self) {
        if self.stopped {
            let mut script = self.cluster.script("control-plane.sh");
            // The test has failed already, and the next one will say that there is no cluster.
            let _ = script.as_std_mut().arg("start").output();
        }
    }
}
