"""Starts what docker-compose.yml describes as plain processes, without a container engine, and calls it as a client.

Taken from the file: programs, commands, variables, ports, health checks, start order, and the roles and databases of deploy/postgres.sql.
Names of hosts become addresses of this machine, /keys and /files become folders, the collector becomes a sink in this process. At the end
one trace is found in the sink that runs through two services, and every process has stopped by itself when told to.

HEARTH_BIN names the folder of the programs, HEARTH_IMAGE the image of the contracts.
"""

import concurrent.futures
import glob
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

import grpc
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVICES = ["archive", "hall", "billing", "vendor"]
BIN, IMAGE = os.environ["HEARTH_BIN"], os.environ["HEARTH_IMAGE"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sink:
    """Takes what a collector takes."""

    def __init__(self, port):
        self.spans, self.metrics, self.logs = [], set(), set()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        kinds = [
            ("trace.v1.TraceService", trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse, self.take_spans),
            ("metrics.v1.MetricsService", metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse, self.take_metrics),
            ("logs.v1.LogsService", logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse, self.take_logs),
        ]
        for name, asked, answered, take in kinds:
            handler = grpc.unary_unary_rpc_method_handler(
                lambda request, _, take=take, answered=answered: take(request) or answered(),
                request_deserializer=asked.FromString,
                response_serializer=answered.SerializeToString,
            )
            service = f"opentelemetry.proto.collector.{name}"
            self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": handler})])
        self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.server.start()

    @staticmethod
    def name(resource):
        return next(a.value.string_value for a in resource.attributes if a.key == "service.name")

    def take_spans(self, request):
        for part in request.resource_spans:
            for scope in part.scope_spans:
                self.spans += [(span.trace_id.hex(), self.name(part.resource), span.name) for span in scope.spans]

    def take_metrics(self, request):
        for part in request.resource_metrics:
            self.metrics |= {(self.name(part.resource), metric.name) for scope in part.scope_metrics for metric in scope.metrics}

    def take_logs(self, request):
        self.logs |= {self.name(part.resource) for part in request.resource_logs}


class Postgres:
    """A server with the roles and databases of the file that the compose file mounts."""

    def __init__(self, folder, port, script):
        binaries = os.path.dirname(shutil.which("initdb") or sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1])
        self.data = os.path.join(folder, "postgres")
        os.mkdir(self.data)
        # The server refuses to run as root.
        self.user = {}
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chmod(folder, 0o711)
            os.chown(self.data, owner.pw_uid, owner.pw_gid)
            self.user = {"user": owner.pw_uid, "group": owner.pw_gid}
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": self.data, **self.user}
        subprocess.run([f"{binaries}/initdb", "-D", f"{self.data}/db", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], **quiet)
        # Passwords count for the roles of the services, as they do in the container.
        with open(f"{self.data}/db/pg_hba.conf", "w", encoding="utf-8") as rules:
            rules.write("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.control = [f"{binaries}/pg_ctl", "-D", f"{self.data}/db", "-s", "-w", "-l", f"{self.data}/log"]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        subprocess.run([*self.control, "-o", options, "start"], **quiet)
        client = shutil.which("psql") or f"{binaries}/psql"
        command = [client, "--host", "127.0.0.1", "--port", str(port), "--username", "postgres", "--set", "ON_ERROR_STOP=1", "--quiet"]
        subprocess.run([*command, "--file", script], check=True, cwd=ROOT)

    def stop(self):
        subprocess.run([*self.control, "-m", "fast", "stop"], check=True, cwd=self.data, **self.user)


class Compose:
    """What the file says, with this machine's addresses and folders in place of the containers'."""

    def __init__(self, folder):
        with open(os.path.join(ROOT, "docker-compose.yml"), encoding="utf-8") as file:
            self.services = yaml.safe_load(file)["services"]
        self.folder = folder
        self.ports = {"postgres": free_port(), "otel-collector": free_port(), **{name: free_port() for name in SERVICES}}

    def here(self, service, value):
        value = re.sub(r"^0\.0\.0\.0:\d+$", f"127.0.0.1:{self.ports.get(service)}", value)
        for host, port in self.ports.items():
            value = re.sub(rf"(//|@){host}:\d+", rf"\g<1>localhost:{port}", value)
        value = re.sub(r"^/keys", os.path.join(self.folder, "keys"), value)
        return re.sub(r"^/files", os.path.join(self.folder, f"{service}-files"), value)

    def program(self, service):
        return os.path.join(BIN, self.services[service]["build"]["args"]["PROGRAM"])

    def environment(self, service):
        given = self.services[service].get("environment", {})
        return {"PATH": os.environ["PATH"], **{name: self.here(service, value) for name, value in given.items()}}

    def command(self, service):
        return [self.program(service), *(self.here(service, word) for word in self.services[service].get("command", []))]

    def run(self, service):
        subprocess.run(self.command(service), check=True, env=self.environment(service), stdout=subprocess.DEVNULL)

    def start(self, service):
        log = open(os.path.join(self.folder, f"{service}.log"), "wb")
        return subprocess.Popen(self.command(service), env=self.environment(service), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_until_healthy(self, service, process):
        check = self.services[service]["healthcheck"]
        assert check["test"][:2] == ["CMD", "/usr/local/bin/program"], check
        for _ in range(200):
            assert process.poll() is None, f"{service} ended: {self.log(service)}"
            asked = subprocess.run([self.program(service), *check["test"][2:]], env=self.environment(service), stderr=subprocess.DEVNULL)
            if asked.returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"{service} does not become healthy: {self.log(service)}")

    def log(self, service):
        with open(os.path.join(self.folder, f"{service}.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]

    def order(self):
        """The services of the suite, each after what it depends on."""
        done, waiting = [], ["postgres", "keys", *SERVICES]
        while waiting:
            ready = [s for s in waiting if all(d in done for d in self.services[s].get("depends_on", {}))]
            assert ready, f"these wait for each other: {waiting}"
            done += ready
            waiting = [s for s in waiting if s not in ready]
        return done


class Client:
    def __init__(self, compose):
        image = descriptor_pb2.FileDescriptorSet()
        with open(IMAGE, "rb") as file:
            image.ParseFromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in image.file:
            self.pool.Add(file)
        with open(os.path.join(compose.folder, "keys", "ca.pem"), "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        self.channels = {name: grpc.secure_channel(f"localhost:{compose.ports[name]}", credentials) for name in SERVICES}
        command = [compose.program("keys"), "token", "--data", os.path.join(compose.folder, "keys"), "--role", "agent"]
        self.token = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()

    def write(self, name, trace, /, **fields):
        service, method = name.split("/")
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        asked, answered = (message_factory.GetMessageClass(m) for m in (found.input_type, found.output_type))
        request = json_format.ParseDict({"request_id": str(uuid.uuid4()), **fields}, asked(), descriptor_pool=self.pool)
        stub = self.channels[service.split(".")[1]].unary_unary(f"/{name}", asked.SerializeToString, answered.FromString)
        sampled = f"00-{trace}-{secrets.token_hex(8)}-01"
        return stub(request, metadata=[("authorization", f"Bearer {self.token}"), ("traceparent", sampled)], timeout=10)


def walk(client, trace):
    """A customer asks for gas: hall takes the wish and asks archive whether it may."""
    branch = "河西区"
    archive, hall = "hearth.archive.v1", "hearth.hall.v1"
    person = {"name": "王芳", "id_number": "11010519491231002X", "phone": "13812345678"}
    party = client.write(f"{archive}.PartyService/RegisterPerson", trace, branch=branch, **person).party
    address = {"address": "天津市河西区友谊路1号", "services": ["SERVICE_GAS"]}
    premises = client.write(f"{archive}.PremisesService/RegisterPremises", trace, branch=branch, **address).premises
    account = client.write(f"{archive}.AccountService/OpenAccount", trace, branch=branch, party_id=party.party_id).account
    opening = client.write(
        f"{hall}.OpeningService/ApplyForOpening",
        trace,
        account_id=account.account_id,
        premises_id=premises.premises_id,
        service_point_id=premises.service_points[0].service_point_id,
        use_class="living",
    ).opening
    return account.account_no, opening.opening_no


def main():
    with tempfile.TemporaryDirectory(prefix="hearth-deploy-") as folder:
        compose = Compose(folder)
        sink = Sink(compose.ports["otel-collector"])
        script = next(v.split(":")[0] for v in compose.services["postgres"]["volumes"] if "initdb.d" in v)
        postgres, running = None, {}
        try:
            for service in compose.order():
                if service == "postgres":
                    postgres = Postgres(folder, compose.ports["postgres"], script)
                elif service == "keys":
                    # Twice: the next `up` finds keys.
                    compose.run(service)
                    compose.run(service)
                else:
                    running[service] = compose.start(service)
            for service, process in running.items():
                compose.wait_until_healthy(service, process)
            trace = secrets.token_hex(16)
            print("opened", *walk(Client(compose), trace))
            for service, process in running.items():
                process.send_signal(signal.SIGTERM)
            for service, process in running.items():
                assert process.wait(timeout=30) == 0, f"{service} ended with {process.returncode}: {compose.log(service)}"
        finally:
            for process in running.values():
                if process.poll() is None:
                    process.kill()
            if postgres:
                postgres.stop()
        through = {(service, name) for found, service, name in sink.spans if found == trace}
        assert ("hall", f"hearth.hall.v1.OpeningService/ApplyForOpening") in through, through
        assert any(service == "archive" and name.endswith("/CheckStanding") for service, name in through), through
        assert {service for service, name in sink.metrics if name == "rpc.server.call.duration"} == set(SERVICES), sink.metrics
        assert sink.logs == set(SERVICES), sink.logs
        print(f"one trace of {len(through)} calls through", *sorted({service for service, _ in through}))
    check_dashboard()


def check_dashboard():
    """The board asks for the one metric that the services tell."""
    with open(os.path.join(ROOT, "deploy/grafana/dashboards/hearth.json"), encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    for panel in panels:
        for target in panel["targets"]:
            assert "rpc_server_call_duration_seconds_" in target["expr"], target


if __name__ == "__main__":
    sys.exit(main())
