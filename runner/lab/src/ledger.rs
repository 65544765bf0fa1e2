//! The loss ledger: where the copies of everything worth money are, and which last copy went when and why.
//! It only counts copies; what destroys one is decided elsewhere and comes here with its cause.

use crate::world::{Ms, NodeId, SnapshotId, Ticket};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A thing worth money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asset {
    /// The content of etcd cluster number n.
    Etcd(u8),
    /// That etcd cluster n can have a quorum again without recovery.
    Quorum(u8),
    /// The data of volume number n.
    Volume(u16),
    /// The keys of the cluster whose CA has this fingerprint.
    Secrets(u64),
    /// That the machine boots from its own disk.
    Boot(NodeId),
    /// That one set of secrets belongs to one etcd cluster.
    OneCluster,
    /// That the config a node runs is the one it will boot with, or reverts by itself.
    Config(NodeId),
}

/// Where a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On a node's disks.
    Node(NodeId),
    /// In a file outside the cluster: a snapshot, or a secrets bundle (snapshot 0).
    Outside(SnapshotId),
}

/// What destroyed a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A reset that named partitions or disks.
    Reset,
    /// A reset of the whole system disk.
    WipeDisk,
    /// An install onto a disk with data.
    Install,
    /// A member left etcd, or was removed while it lived.
    LeaveEtcd,
    /// A config with another role or other secrets was persisted.
    Config,
    /// etcd was started anew from a snapshot.
    Recover,
    /// A second bootstrap.
    Bootstrap,
    /// An apply, even a dry one, while a try window was open.
    TryWindow,
}

/// The one event that a loss is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// What was done.
    pub what: What,
    /// Where.
    pub node: NodeId,
    /// The request it came from, where there was one.
    pub ticket: Option<Ticket>,
}

/// How much is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All of it.
    All,
    /// Everything after this revision, which a snapshot outside still has.
    AfterRevision(u64),
}

/// A last copy that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Loss {
    /// When, in simulated milliseconds.
    pub at: Ms,
    /// What.
    pub asset: Asset,
    /// How much.
    pub extent: Extent,
    /// Why.
    pub cause: Cause,
}

/// All copies and all losses.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// The copies that exist.
    #[serde(with = "pairs")]
    pub copies: BTreeMap<Asset, BTreeSet<Place>>,
    /// What was lost, in order.
    pub losses: Vec<Loss>,
}

impl Ledger {
    /// A copy came into being.
    pub(crate) fn add(&mut self, asset: Asset, place: Place) {
        self.copies.entry(asset).or_default().insert(place);
    }

    /// A copy is gone. Records a loss when no copy on a node is left.
    pub(crate) fn drop_copy(&mut self, at: Ms, asset: Asset, node: NodeId, cause: Cause) {
        let Some(places) = self.copies.get_mut(&asset) else { return };
        if !places.remove(&Place::Node(node)) {
            return;
        }
        let live = places.iter().any(|place| matches!(place, Place::Node(_)));
        let outside = places.iter().any(|place| matches!(place, Place::Outside(_)));
        if live || (outside && matches!(asset, Asset::Secrets(_) | Asset::Volume(_))) {
            return;
        }
        let extent = places.iter().rev().find_map(|place| match place {
            Place::Outside(snapshot) => Some(Extent::AfterRevision(snapshot.revision)),
            Place::Node(_) => None,
        });
        self.copies.remove(&asset);
        self.lose(at, asset, extent.unwrap_or(Extent::All), cause);
    }

    /// Something is lost that has no copies to count.
    pub(crate) fn lose(&mut self, at: Ms, asset: Asset, extent: Extent, cause: Cause) {
        if !self.losses.iter().any(|loss| loss.asset == asset && loss.extent == extent) {
            self.losses.push(Loss { at, asset, extent, cause });
        }
    }

    /// Whether nothing was ever lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.losses.is_empty()
    }
}

/// JSON has no maps with structured keys: the copies travel as a list of pairs.
mod pairs {
    use super::{Asset, BTreeMap, BTreeSet, Place};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<Asset, BTreeSet<Place>>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Asset, BTreeSet<Place>>, D::Error> {
        Ok(Vec::<(Asset, BTreeSet<Place>)>::deserialize(from)?.into_iter().collect())
    }
}
