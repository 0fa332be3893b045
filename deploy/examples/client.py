#!/usr/bin/env python3
"""Asks a running engine about its accounts, with nothing but the engine to learn the API from.

    pip install grpcio grpcio-reflection
    tidewatch serve --data DIR &
    python deploy/examples/client.py [--target 127.0.0.1:7300] [ACCOUNT ...]

The messages are built from server reflection, so no generated code is needed; for an application, generate it from
proto/proto with grpcio-tools instead.
"""

import argparse

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Api:
    """Calls methods of `tidewatch.v1` by name."""

    def __init__(self, channel):
        self.channel = channel
        self.pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    def call(self, service, method, **fields):
        """The answer to one unary call; `fields` are those of the request."""
        found = self.pool.FindServiceByName(f"tidewatch.v1.{service}").FindMethodByName(method)
        request, answer = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
        unary = self.channel.unary_unary(
            f"/tidewatch.v1.{service}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        return unary(request(**fields), timeout=10)

    def accounts(self, **query):
        """Every account of a list, page by page; all pages stand at one position."""
        token = ""
        while True:
            page = self.call("AccountService", "ListAccounts", page_token=token, **query)
            yield from (listed.account for listed in page.accounts)
            token = page.next_page_token
            if not token:
                return


def value(metric):
    """A metric's value; absent is missing, never 0."""
    kind = metric.WhichOneof("value")
    return "missing" if kind is None else getattr(metric, kind)


def show(api, account):
    """Prints one account with its metrics."""
    found = api.call("AccountService", "GetAccount", account=account).account
    status = found.DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[found.status].name
    name = found.facts.name if found.facts.HasField("name") else found.id
    print(f"{name}: {status.removeprefix('ACCOUNT_STATUS_').lower()}, {found.events} events")
    rows = api.call("MetricService", "GetMetrics", account=account).rows
    for metric in rows[0].metrics:
        print(f"  {metric.name:<18}{value(metric)}")


def main():
    arguments = argparse.ArgumentParser(description="Asks a running engine about its accounts.")
    arguments.add_argument("--target", default="127.0.0.1:7300", help="where gRPC is served")
    arguments.add_argument("account", nargs="*", help="accounts to show; without one the busiest three")
    asked = arguments.parse_args()
    with grpc.insecure_channel(asked.target) as channel:
        api = Api(channel)
        info = api.call("ServerService", "GetServerInfo")
        print(f"tidewatch {info.version}, {info.accounts} accounts at position {info.freshness.position.sequence}")
        busiest = (account.id for _, account in zip(range(3), api.accounts(order_by="events desc", page_size=3)))
        for account in asked.account or list(busiest):
            try:
                show(api, account)
            except grpc.RpcError as error:
                print(f"{account}: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
