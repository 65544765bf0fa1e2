//! Judges what a run is about to change, before the first of it. Every call is judged again when it comes, so this says no only where that
//! no is already certain: what an earlier call may still bring about is left to then.

use super::case::{Asked, Case, Guard, PlannedCall, Refusal};
use super::deed::Deed;
use super::evidence::EvidenceCode;
use super::{Judgement, identity, rows, unproven};
use crate::effect::Effect;

/// Judges the rest of a run as a plan predicts it.
///
/// # Errors
/// The first refusal that is certain.
pub fn ahead(planned: &[PlannedCall], case: &Case<'_>) -> Result<(), Box<Refusal>> {
    let mut deeds: Vec<Deed<'_>> = Vec::new();
    for one in planned {
        match Deed::of(&one.call, one.predicted.as_ref()) {
            // Whether it reboots nobody knows yet; when it comes it counts as one that does.
            Deed::Apply { node, reboots: None } => {
                deeds.push(Deed::Apply { node, reboots: Some(false) });
            }
            // The call ends when the node is back; whether it votes again then is seen then.
            Deed::Away(node) => deeds.extend([Deed::Away(node), Deed::Back(Some(node))]),
            deed => deeds.push(deed),
        }
    }
    // What destroys has a preflight, and a grant, of its own.
    let destructive = planned.iter().any(|p| p.call.spec().effect() == Effect::Destroys);
    let case = &Case { asked: Asked { destructive, ..case.asked }, ..*case };
    let judgement = Judgement { deeds: &deeds, case };
    judgement.words()?;
    for (at, deed) in deeds.iter().enumerate().filter(|(_, deed)| deed.guarded()) {
        for need in rows::needs(deed, &case.site) {
            if deeds[..at].iter().any(|earlier| may_change(earlier, need.code, deed.node())) {
                continue;
            }
            let row = rows::row(&need, deed, case);
            if row.state.holds() {
                continue;
            }
            let named = matches!(need.code, EvidenceCode::Id | EvidenceCode::Node);
            return Err(match identity::check(deed, case) {
                Err(fault) if named => judgement.refuse(Guard::Identity, *fault),
                _ => judgement.refuse(Guard::Grant, unproven(&row, deed)),
            });
        }
    }
    Ok(())
}

/// Whether a deed may change what a row of evidence says about a node, or about the cluster.
fn may_change(earlier: &Deed<'_>, code: EvidenceCode, node: Option<&str>) -> bool {
    match earlier {
        // A drain or a shell line changes neither machines nor etcd; what is stored nowhere else it does not heal.
        Deed::Nothing | Deed::Elsewhere { .. } => false,
        _ => match code {
            // What a machine says of itself changes only with that machine.
            EvidenceCode::Node | EvidenceCode::Maint | EvidenceCode::Sec | EvidenceCode::Disk => {
                earlier.node().is_none() || earlier.node() == node
            }
            _ => true,
        },
    }
}
