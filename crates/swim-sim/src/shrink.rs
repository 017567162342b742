//! A plan that fails is made smaller while it still fails, so that people can read it.

use std::time::Duration;

use crate::cluster::HostIx;
use crate::fault::Fault;
use crate::link::Conditions;
use crate::plan::Plan;

/// Fewer hosts than this are no cluster to speak of.
const HOSTS_MIN: u32 = 2;
/// How long after the last fault calm begins, if that is enough.
const CALM_AFTER: Duration = Duration::from_secs(1);

impl Plan {
    /// The smallest plan that was found for which `fails` still says so. It is asked for each
    /// smaller plan, and ends the search by denying.
    #[must_use]
    pub fn shrink(&self, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
        let mut plan = self.clone();
        loop {
            let before = plan.clone();
            plan = remove_faults(plan, &mut fails);
            plan = simplify(plan, &mut fails);
            plan = remove_hosts(plan, &mut fails);
            if plan == before {
                return plan;
            }
        }
    }
}

/// Halves first, then quarters, and so on to single faults.
fn remove_faults(mut plan: Plan, fails: &mut impl FnMut(&Plan) -> bool) -> Plan {
    let mut size = plan.faults.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < plan.faults.len() {
            let mut smaller = plan.clone();
            smaller.faults.drain(at..(at + size).min(plan.faults.len()));
            if fails(&smaller) {
                plan = smaller;
            } else {
                at += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    plan
}

/// A plain network, equal clocks, members that know each other, no liar, an early calm.
fn simplify(mut plan: Plan, fails: &mut impl FnMut(&Plan) -> bool) -> Plan {
    let changes: [fn(&mut Plan); 5] = [
        |plan| plan.network = Conditions::LAN,
        |plan| plan.skewed = false,
        |plan| (plan.warm, plan.skewed) = (true, false),
        |plan| {
            // What a liar may say, nobody else may.
            plan.liar = false;
            plan.faults.retain(|(_, fault)| !matches!(fault, Fault::Lie(_)));
        },
        |plan| {
            let last = plan.faults.last().map_or(Duration::ZERO, |(at, _)| *at);
            plan.calm_at = plan.calm_at.min(last + CALM_AFTER);
        },
    ];
    for change in changes {
        let mut simpler = plan.clone();
        change(&mut simpler);
        if simpler != plan && fails(&simpler) {
            plan = simpler;
        }
    }
    plan
}

fn remove_hosts(mut plan: Plan, fails: &mut impl FnMut(&Plan) -> bool) -> Plan {
    let mut host = plan.hosts;
    while host > 0 && plan.hosts > HOSTS_MIN {
        host -= 1;
        let smaller = without(&plan, HostIx(host));
        if fails(&smaller) {
            plan = smaller;
        }
    }
    plan
}

/// The plan without a host and what is done to it; those above it move down.
fn without(plan: &Plan, gone: HostIx) -> Plan {
    let mut smaller = plan.clone();
    smaller.hosts -= 1;
    smaller.faults.retain(|(_, fault)| !fault.hosts().contains(&gone));
    for (_, fault) in &mut smaller.faults {
        *fault = renumbered(fault, gone);
    }
    smaller
}

/// The same fault, as it is said of hosts that have moved down.
fn renumbered(fault: &Fault, gone: HostIx) -> Fault {
    let text = fault.to_string();
    let words = text.split(' ').filter_map(|word| match word.parse::<HostIx>() {
        Ok(host) if host > gone => Some(HostIx(host.0 - 1).to_string()),
        Ok(host) if host == gone => None,
        _ => Some(word.to_owned()),
    });
    let words: Vec<String> = words.collect();
    words.join(" ").parse().expect("a fault that is written can be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_matters_is_left() {
        let big = plan(
            "seed 3\nprofile fast\nhosts 6 joining skewed liar\nnetwork 1ms 9ms loss 20\n\
             1s pause h1\n2s crash h4\n3s lie noise 3\n4s split h0 h4\n5s resume h1\n6s heal\n\
             60s calm",
        );
        let mut asked = 0;
        let small = big.shrink(|plan| {
            asked += 1;
            let crash = plan.faults.iter().position(|(_, f)| matches!(f, Fault::Crash(_)));
            let split = plan.faults.iter().position(|(_, f)| matches!(f, Fault::Split(_)));
            crash.is_some() && crash < split && plan.hosts >= 3
        });
        let wanted = "seed 3\nprofile fast\nhosts 3\nnetwork 200us 1ms\n\
                      2s crash h1\n4s split h1\n5s calm";
        let split_kept = small.to_string();
        assert!(asked < 60, "asked {asked} times");
        // Which hosts are left depends on the order in which they are tried.
        assert_eq!(small.hosts, 3, "{split_kept}");
        assert_eq!(small.faults.len(), 2, "{split_kept}");
        assert_eq!(split_kept.lines().count(), wanted.lines().count(), "{split_kept}");
    }

    #[test]
    fn a_plan_that_never_fails_again_stays_as_it_is() {
        let plan = Plan::random(5);
        assert_eq!(plan.shrink(|_| false), plan);
    }

    #[test]
    fn hosts_above_one_that_is_gone_move_down() {
        let fault: Fault = "split h0 h2 h5".parse().unwrap();
        assert_eq!(renumbered(&fault, HostIx(2)).to_string(), "split h0 h4");
        let fault: Fault = "flap h1 h3 500ms".parse().unwrap();
        assert_eq!(renumbered(&fault, HostIx(0)).to_string(), "flap h0 h2 500ms");
    }
}
