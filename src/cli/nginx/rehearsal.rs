//! A rehearsal that replaces the live sockets.

use std::mem::take;
use std::sync::Arc;

use super::candidate_runner::ChangedNginx;
use super::private_nginx::{self, ConfigurationAnswer, NginxProgram, PrivateNginx, StartOutcome};
use super::source::Configuration;
use crate::audit::listener::site::place;
use crate::cli::args::NginxArgs;
use crate::cli::errors::UsageError;
use crate::cli::settings;
use crate::nginx::listener::{Material, Server};
use crate::nginx::rehearsal::{Message, Omission};
use crate::nginx::tree::Directive;
use crate::openssl::release::OpensslRelease;
use crate::probe::stand_ins::StandIns;
use crate::report::Rehearsed;
use crate::run::listener_fixes::RunnableConfiguration;
use crate::targets::from_nginx::unreadable::UnreadablePair;
use crate::targets::from_nginx::{self, Found, Premises, Untestable};

/// The targets to probe: all, or only those that the rehearsal serves.
pub(super) fn targets(
    configuration: &Configuration,
    premises: &Premises<'_>,
    rehearsal: Option<&Rehearsal>,
) -> Found {
    let Configuration { listeners, upstreams, plain_upstreams, .. } = configuration;
    let mut found = match rehearsal {
        None => from_nginx::targets(listeners, upstreams, plain_upstreams, premises),
        Some(Rehearsal { running: Some(running), .. }) => {
            let mut found = from_nginx::targets(listeners, &[], &[], premises);
            running.mark(&mut found.targets);
            if running.left_out().contains(&Omission::Scripts) {
                withhold_scripted(&mut found, configuration);
            }
            withhold_unreadable(&mut found, configuration, running.unreadable());
            found
        }
        Some(Rehearsal { running: None, .. }) => return Found::default(),
    };
    found.untestable.extend(configuration.tree.iter().flat_map(from_nginx::pass_through));
    found
}

/// Takes out the targets whose certificate a script chooses, because scripts do not run.
fn withhold_scripted(found: &mut Found, configuration: &Configuration) {
    let Some(tree) = &configuration.tree else { return };
    let chooses = |one: &Directive| {
        let names = ["ssl_certificate_by_lua", "ssl_client_hello_by_lua"];
        names.iter().any(|name| one.name.starts_with(name))
    };
    withhold(found, configuration, |servers| {
        let mut blocks = servers.iter().filter_map(|server| tree.at(&server.span));
        let scripted = blocks.any(|block| block.children().iter().any(chooses));
        scripted.then(|| {
            "a script chooses the certificate; scripts run only with --rehearse-scripts".to_owned()
        })
    });
}

/// Takes out the targets whose certificate, or that of the default server of their socket, cannot be loaded.
fn withhold_unreadable(
    found: &mut Found,
    configuration: &Configuration,
    unreadable: &[UnreadablePair],
) {
    let uses = |server: &Server, pair: &UnreadablePair| {
        server.ssl.certificates.iter().any(|own| match &own.certificate.value {
            Material::File(path) => *path == pair.certificate,
            _ => false,
        })
    };
    withhold(found, configuration, |servers| {
        let mut met = servers
            .iter()
            .flat_map(|server| unreadable.iter().filter(move |pair| uses(server, pair)));
        met.next().map(|pair| pair.reason.clone())
    });
}

/// Takes out the targets that there is a reason not to test, given the server and the default server of its socket.
fn withhold(
    found: &mut Found,
    configuration: &Configuration,
    reason: impl Fn([&Server; 2]) -> Option<String>,
) {
    let (targets, places) = (take(&mut found.targets), take(&mut found.places));
    for (target, places) in targets.into_iter().zip(places) {
        let place = place(&configuration.listeners, &target);
        let why = place.and_then(|(listener, server)| {
            Some((reason([server, listener.default_server()])?, server.listen.clone()))
        });
        if let Some((reason, span)) = why {
            found.untestable.push(Untestable { name: target.name.clone(), span, reason });
        } else {
            found.targets.push(target);
            found.places.push(places);
        }
    }
}

/// The rehearsal, as the audit needs it.
pub(super) struct Rehearsal {
    /// Ends after the audit; `None` if nginx does not serve.
    pub(super) running: Option<PrivateNginx>,
    pub(super) rehearsed: Rehearsed,
    program: NginxProgram,
}

impl Rehearsal {
    /// The configuration, and what tries changes to it, if nginx serves it.
    pub(super) fn runnable(
        &self,
        args: &NginxArgs,
        configuration: &Configuration,
        premises: &Premises<'_>,
    ) -> Option<RunnableConfiguration> {
        self.running.as_ref()?;
        let library = self.program.build.library.as_deref().and_then(OpensslRelease::of)?;
        let runner = ChangedNginx {
            program: self.program.clone(),
            limits: settings::limits(&args.run.limits),
            options: premises.options.clone(),
            identity: premises.identity.clone(),
            request: premises.request,
            system: premises.system.clone(),
        };
        Some(RunnableConfiguration {
            tree: Arc::new(configuration.tree.clone()?),
            listeners: configuration.listeners.clone().into(),
            release: self.program.build.version,
            library,
            system: premises.system.clone(),
            runner: Arc::new(runner),
        })
    }

    /// Where connections go.
    pub(super) fn stand_ins(&self) -> StandIns {
        self.running.as_ref().map(PrivateNginx::stand_ins).unwrap_or_default()
    }
}

/// Starts the private nginx; a refusal becomes a fact of the configuration.
pub(super) fn rehearse(
    program: &NginxProgram,
    configuration: &mut Configuration,
) -> anyhow::Result<Rehearsal> {
    let Some(tree) = &configuration.tree else {
        return Err(UsageError::new(
            "Kubernetes objects cannot be rehearsed",
            "rehearse what the controller makes of them: the output of nginx -T in its pod",
        ));
    };
    let start = private_nginx::start(tree, program, &[])?;
    let mut rehearsed = Rehearsed {
        nginx: program.build.version.to_string(),
        library: program.build.library.clone(),
        left_out: Vec::new(),
        compared: None,
    };
    let mut running = None;
    match start {
        StartOutcome::Serves(nginx) => {
            configuration.is_served(nginx.unreadable(), nginx.unreadable_settings());
            rehearsed.left_out = nginx.left_out().iter().map(ToString::to_string).collect();
            running = Some(*nginx);
        }
        StartOutcome::Ended(ConfigurationAnswer::Accepted) => {
            let words =
                "nginx accepts a configuration that could not be read here, so it was not started";
            let message = Message::whole(&tree.main, words);
            configuration.hear(ConfigurationAnswer::Untested(message));
        }
        StartOutcome::Ended(answer) => configuration.hear(answer),
    }
    Ok(Rehearsal { running, rehearsed, program: program.clone() })
}
