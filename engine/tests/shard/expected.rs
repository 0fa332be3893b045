//! Every count that the public data sets state about themselves, through the mappings the project keeps.

use crate::dataset::Dataset;
use crate::support::Shard;

#[test]
fn openstack_vendors_counts_as_it_says() {
    check("openstack-vendors", None);
}

#[test]
fn online_retail_counts_as_it_says() {
    check("online-retail-b2b", Some("billing_gbp_30d"));
}

#[test]
fn itsm_tickets_counts_as_it_says() {
    check("itsm-tickets", None);
}

#[test]
fn ravenstack_counts_as_it_says() {
    check("ravenstack", Some("billing_usd_30d"));
}

fn check(set: &'static str, billing: Option<&str>) {
    let Some(set) = Dataset::find(set) else { return };
    let shard = Shard::new();
    set.import(&shard);
    set.check(&shard, billing);
}
