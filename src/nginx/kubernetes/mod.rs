//! Kubernetes objects as controllers of nginx read them: Ingress of ingress-nginx, Gateway API as NGINX Gateway Fabric,
//! and Ingress, VirtualServer and TransportServer as F5 NGINX Ingress Controller.
//!
//! For the last two, the lines about TLS that the controller writes are written here too, and read as any configuration
//! is. Each names the release whose templates were read. What is in the text has its object as its place, `KIND/NAMESPACE/NAME`,
//! without a line.

mod address;
pub mod fields;
mod gateway;
mod ingress_nginx;
mod lines;
pub mod material;
mod moving;
mod nic;
mod object;
mod passthrough;
mod reading;

use serde_json::Value;

use self::material::SecretFiles;
use self::moving::Move;
pub use self::moving::NextController;
pub use self::object::KubernetesError;
use self::object::KubernetesObjects;
use self::reading::{ControllerText, TextMeaning};
use super::defaults::NginxRelease;
use super::facts::{Fact, FactKind};
use super::listener::Listener;
use super::upstream::Upstream;
use super::variable::Variables;

/// The file with the roots of a controller's container.
pub use self::gateway::SYSTEM_ROOTS;

/// The release of nginx in the images of NGINX Gateway Fabric 2.6.7 and of F5 NGINX Ingress Controller 5.5.4.
pub const RELEASE: NginxRelease = NginxRelease::new(1, 31, 3);

/// What the controllers make of the objects.
#[derive(Debug, Default)]
pub struct Cluster {
    /// The sockets at the addresses of the controllers. The default server of ingress-nginx is the controller's own, with
    /// a certificate that matches no name.
    pub listeners: Vec<Listener>,
    /// The backends that nginx connects to over TLS.
    pub upstreams: Vec<Upstream>,
    /// The backends that nginx connects to without TLS.
    pub plain_upstreams: Vec<Upstream>,
    /// Annotations and fields without effect, and what could not be read.
    pub facts: Vec<Fact>,
    /// Certificates and keys in Secrets and ConfigMaps, by the name of the file that stands for them.
    pub files: SecretFiles,
    /// nginx's release, if all the objects belong to controllers whose image is known.
    pub release: Option<NginxRelease>,
    /// The lines of each controller, as they were read.
    pub texts: Vec<String>,
}

/// Reads a list of objects, or a single one. With `next`, what ingress-nginx makes of its objects is compared with what that
/// controller would make of them, and the backends are those of that controller.
pub fn read(
    json: &[u8],
    variables: &Variables,
    next: Option<NextController>,
) -> Result<Cluster, KubernetesError> {
    let objects = KubernetesObjects::read(json)?;
    let mut cluster = Cluster { files: material::files(&objects), ..Cluster::default() };
    let (nic, ingress_nginx): (Vec<&Value>, Vec<&Value>) =
        objects.of("Ingress").partition(|ingress| nic::has_ingress(&objects, ingress));
    let found = ingress_nginx::read(&objects, &ingress_nginx)?;
    if let Some(next) = next.filter(|_| !ingress_nginx.is_empty()) {
        cluster.move_to(next, &objects, (&ingress_nginx, &found), variables);
        cluster.release = Some(RELEASE);
    } else {
        cluster.listeners.extend(found.listeners);
        cluster.upstreams.extend(found.upstreams);
        cluster.facts.extend(found.facts);
        cluster.release = ingress_nginx.is_empty().then_some(RELEASE);
    }
    for rendered in gateway::render(&objects, &cluster.files) {
        cluster.files.extend(rendered.files);
        cluster.add(ControllerText::of(rendered.lines), &rendered.passed, variables);
    }
    if let Some(rendered) = nic::render(&objects, &nic) {
        cluster.add(ControllerText::of(rendered.lines), &rendered.passed, variables);
    }
    cluster.facts.extend(unnamed(&cluster.upstreams));
    cluster.facts.sort();
    cluster.facts.dedup();
    Ok(cluster)
}

impl Cluster {
    /// Adds what another controller would make of objects of ingress-nginx. Its sockets do not exist yet.
    fn move_to(
        &mut self,
        next: NextController,
        objects: &KubernetesObjects,
        (ingresses, before): (&[&Value], &ingress_nginx::Ingresses),
        variables: &Variables,
    ) {
        let converted = moving::as_gateways(objects, ingresses);
        let texts: Vec<ControllerText> = match next {
            NextController::Ngf => {
                let rendered = gateway::render(&converted, &self.files);
                rendered.into_iter().map(|one| ControllerText::of(one.lines)).collect()
            }
            NextController::Nic => {
                let rendered = nic::render(objects, ingresses);
                rendered.into_iter().map(|one| ControllerText::of(one.lines)).collect()
            }
        };
        let after: Vec<TextMeaning> = texts.iter().map(|text| text.read(variables)).collect();
        self.facts.extend(Move { objects, ingresses, before, after: &after, next }.facts());
        for meaning in after {
            self.upstreams.extend(meaning.upstreams);
            self.plain_upstreams.extend(meaning.plain_upstreams);
        }
        self.texts.extend(texts.into_iter().map(|text| text.text));
    }

    fn add(
        &mut self,
        text: ControllerText,
        passed: &[passthrough::PassedHost],
        variables: &Variables,
    ) {
        let found = text.read(variables);
        self.listeners.extend(found.listeners);
        for listener in passthrough::listeners(passed) {
            let same = |one: &&mut Listener| one.address == listener.address;
            match self.listeners.iter_mut().find(same) {
                // The names share a socket; what matches none goes to the default server of HTTPS.
                Some(known) => known.servers.extend(listener.servers.into_iter().skip(1)),
                None => self.listeners.push(listener),
            }
        }
        self.upstreams.extend(found.upstreams);
        self.plain_upstreams.extend(found.plain_upstreams);
        self.facts.extend(found.facts);
        self.texts.push(text.text);
    }
}

/// Upstreams that are verified by the name of their `upstream` block, which is on no certificate.
fn unnamed(upstreams: &[Upstream]) -> impl Iterator<Item = Fact> {
    upstreams.iter().filter(|upstream| upstream.ssl.verifies()).filter_map(|upstream| {
        let group = upstream.destination.as_ref().ok()?.group.as_ref()?;
        let kind = FactKind::GroupName { name: group.name.clone() };
        (upstream.name.as_deref() == Ok(&*group.name))
            .then(|| Fact { span: upstream.settings_at.clone(), kind })
    })
}

#[cfg(test)]
mod tests;
