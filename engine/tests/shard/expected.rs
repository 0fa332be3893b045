//! Every count that the public data sets state about themselves, through the mappings the project keeps.

use crate::dataset::Dataset;
use crate::support::Shard;

#[test]
#[ignore = "needs the public data sets"]
fn data_set_openstack_vendors_counts_as_it_says() {
    check("openstack-vendors", None);
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_online_retail_counts_as_it_says() {
    check("online-retail-b2b", Some("billing_gbp_30d"));
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_itsm_tickets_counts_as_it_says() {
    check("itsm-tickets", None);
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_ravenstack_counts_as_it_says() {
    check("ravenstack", Some("billing_usd_30d"));
}

fn check(set: &'static str, billing: Option<&str>) {
    let set = Dataset::of(set);
    let shard = Shard::new();
    set.import(&shard);
    set.check(&shard, billing);
}
