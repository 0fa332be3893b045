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

    def by_score(self, **query):
        """Every account with its health, worst score first, page by page; all pages stand at one position."""
        token = ""
        while True:
            page = self.call("HealthService", "ListHealth", page_token=token, **query)
            yield from page.accounts
            token = page.next_page_token
            if not token:
                return


def name_of(message, field):
    """The name of an enum's value, as `scored` of HEALTH_STATE_SCORED."""
    kind = message.DESCRIPTOR.fields_by_name[field].enum_type
    name = kind.values_by_number[getattr(message, field)].name
    return name.removeprefix(kind.values_by_number[0].name.removesuffix("UNSPECIFIED")).lower()


def show(api, account):
    """Prints one account: its score, why, and what moved it in the last four weeks."""
    found = api.call("AccountService", "GetAccount", account=account).account
    health = api.call("HealthService", "GetHealth", account=account).health
    name = found.facts.name if found.facts.HasField("name") else found.id
    # Absent is never 0: an account without a score says why in its state and reason.
    score = health.shown if health.HasField("shown") else name_of(health, "state")
    print(f"{name}: {score} {health.band}, {name_of(found, 'status')}, coverage {health.coverage:.0%}")
    for reason in health.reasons:
        print(f"  {reason}")
    moved = api.call("HealthService", "ExplainHealth", account=account)
    for change in moved.changes:
        print(f"  in four weeks: {change.text}")


def main():
    arguments = argparse.ArgumentParser(description="Asks a running engine about its accounts.")
    arguments.add_argument("--target", default="127.0.0.1:7300", help="where gRPC is served")
    arguments.add_argument("account", nargs="*", help="accounts to show; without one the worst three")
    asked = arguments.parse_args()
    with grpc.insecure_channel(asked.target) as channel:
        api = Api(channel)
        info = api.call("ServerService", "GetServerInfo")
        print(f"tidewatch {info.version}, {info.accounts} accounts at position {info.freshness.position.sequence}")
        worst = (listed.account.id for _, listed in zip(range(3), api.by_score(page_size=3)))
        for account in asked.account or list(worst):
            try:
                show(api, account)
            except grpc.RpcError as error:
                print(f"{account}: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
