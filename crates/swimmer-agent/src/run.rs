//! The agent's main job: be a member, and say what it sees until it is asked to leave.

use std::collections::BTreeMap;
use std::io::{self, StdoutLock};
use std::process::ExitCode;
use std::time::Duration;

use swimmer::{
    AdvertisedBy, Change, Cluster, Event, Member, NodeId, Notice, RefusalReason, Snapshot, State,
    Subscription, Update,
};
use tokio::time::timeout;

use crate::args::{AgentArgs, Format};
use crate::json::JsonWriter;
use crate::report::{complain, say};
use crate::signals::Signals;
use crate::tags;
use crate::text::TextWriter;

/// How long a leave may take.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Runs the agent. One thread is enough: it waits nearly all the time.
pub(crate) fn main(args: AgentArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(error.to_string()),
    };
    result.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

async fn run(args: AgentArgs) -> Result<ExitCode, String> {
    let mut signals = Signals::new().map_err(|error| error.to_string())?;
    let mut builder = Cluster::builder(&args.cluster)
        .data_dir(&args.data_dir)
        .listen(args.listen)
        .seeds(&args.seeds)
        .name(&args.name)
        .metadata(tags::to_metadata(&args.tags))
        .profile(args.profile);
    if let Some(address) = args.advertise {
        builder = builder.advertise(address);
    }
    let cluster = builder.start().await.map_err(|error| error.to_string())?;
    say_start(&cluster, &args);
    tokio::spawn(say_notices(cluster.clone(), args.cluster.clone()));

    let mut printer = Printer::new(args.format);
    let mut events = cluster.subscribe();
    tokio::select! {
        _ = signals.next() => {}
        // Nobody reads any more: that is a reason to leave, not to panic.
        _ = printer.print_all(&mut events) => {}
    }
    tokio::select! {
        code = signals.next() => return Ok(ExitCode::from(code)),
        () = leave(&cluster) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn leave(cluster: &Cluster) {
    match timeout(LEAVE_MAX, cluster.leave()).await {
        Ok(Ok(report)) => {
            say(&format!("left; {} of {} peers know", report.acknowledged, report.told));
        }
        Ok(Err(error)) => complain(&error.to_string()),
        Err(_) => complain("the leave took too long; the others will find out by themselves"),
    }
    cluster.shutdown().await;
}

fn say_start(cluster: &Cluster, args: &AgentArgs) {
    let local = cluster.local();
    let name = if local.name.is_empty() { "-" } else { &local.name };
    let how = match cluster.advertised_by() {
        AdvertisedBy::Given => " (as given)",
        AdvertisedBy::Listen => "",
        AdvertisedBy::RouteToSeed => " (this machine's on the route to the first seed)",
        AdvertisedBy::FirstAddress => " (this machine's first that is not loopback)",
        AdvertisedBy::Loopback => " (this machine has only loopback)",
    };
    say(&format!(
        "swimmer {} id {} name {name} cluster {} address {}{how} preset {}",
        env!("CARGO_PKG_VERSION"),
        local.id,
        args.cluster,
        local.address,
        args.profile,
    ));
}

async fn say_notices(cluster: Cluster, own: String) {
    let mut notices = cluster.notices();
    // The node is not kept running by whoever only listens.
    drop(cluster);
    while let Some(notice) = notices.recv().await {
        say(&describe(&notice, &own));
    }
}

fn describe(notice: &Notice, own: &str) -> String {
    match notice {
        Notice::JoinRefused { by, cluster, reason: RefusalReason::OtherCluster } => {
            format!("{by} refused us: it belongs to the cluster '{cluster}', this node to '{own}'")
        }
        Notice::JoinRefused { by, reason, .. } => {
            let why = match reason {
                RefusalReason::Full => "its cluster is full",
                RefusalReason::Versions => "it speaks other versions of the protocol",
                RefusalReason::NotRunning => "it is leaving",
                _ => "for a reason of a later version",
            };
            format!("{by} refused us: {why}")
        }
        Notice::ForeignJoin { from, cluster } => format!(
            "refused {from}: it means the cluster '{cluster}', this node belongs to '{own}'"
        ),
        Notice::ForeignDatagram { from } => {
            format!("a datagram from {from} is of another cluster, or damaged; ignored")
        }
        Notice::SeedUnresolved { seed, error } => {
            format!("cannot resolve the seed {seed}: {error}; trying again")
        }
        Notice::JoinedBy { seed } => format!("joined by {seed}"),
        _ => "something of a later version happened".into(),
    }
}

/// Prints events, and keeps the members as they were at each of them.
struct Printer {
    writer: Writer,
    out: StdoutLock<'static>,
}

enum Writer {
    Text(TextWriter),
    Json(JsonWriter),
}

impl Printer {
    fn new(format: Format) -> Self {
        let writer = match format {
            Format::Text => Writer::Text(TextWriter::new()),
            Format::Json => Writer::Json(JsonWriter::default()),
        };
        Self { writer, out: io::stdout().lock() }
    }

    /// Prints until the node stops, or nobody reads.
    async fn print_all(&mut self, events: &mut Subscription) -> io::Result<()> {
        let start = events.snapshot().clone();
        let mut view = View::new(&start);
        // Met before this began to listen.
        let met: Vec<Member> = start.present().cloned().collect();
        for member in met {
            self.event(&Event::Joined(member), &view)?;
        }
        while let Some(Update { change, .. }) = events.recv().await {
            match change {
                Change::Event(event) => {
                    view.apply(&event);
                    self.event(&event, &view)?;
                }
                Change::Resync(snapshot) => {
                    view = View::new(&snapshot);
                    match &mut self.writer {
                        Writer::Text(writer) => writer.resync(&mut self.out, &view.rows())?,
                        Writer::Json(writer) => writer.resync(&mut self.out, &snapshot)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event, view: &View) -> io::Result<()> {
        match &mut self.writer {
            Writer::Text(writer) => writer.event(&mut self.out, event, &view.rows()),
            Writer::Json(writer) => writer.event(&mut self.out, event, view.present()),
        }
    }
}

/// The members as the events so far have told of them.
struct View {
    local: Member,
    members: BTreeMap<NodeId, Member>,
}

impl View {
    fn new(snapshot: &Snapshot) -> Self {
        let members = snapshot.members().iter().map(|member| (member.id, member.clone()));
        Self { local: snapshot.local().clone(), members: members.collect() }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Joined(member)
            | Event::Up(member)
            | Event::Suspected(member)
            | Event::Down(member, _)
            | Event::Left(member)
            | Event::Updated(member) => {
                self.members.insert(member.id, member.clone());
            }
            Event::Conflict { local, .. } => self.local = local.clone(),
            _ => {}
        }
    }

    fn present(&self) -> usize {
        let others = self.members.values().filter(|member| member.state.is_present()).count();
        others + usize::from(self.local.state != State::Left)
    }

    fn rows(&self) -> crate::text::Rows<'_> {
        crate::text::Rows { local: &self.local, members: self.members.values().collect() }
    }
}
