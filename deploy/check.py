"""Starts what docker-compose.yml describes as plain processes, without a container engine, and calls it as a client.

Taken from the file: programs, commands, variables, ports, volumes, health checks, what waits for what, and the roles and databases of
deploy/postgres.sql. Names of hosts become addresses of this machine, volumes become folders, the collector becomes a sink in this process. At
the end one trace is found in the sink that runs through two services, and every process has stopped by itself when told to.

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
# What runs here; the collector is a sink in this process, and its readers have none.
OURS = ["postgres", "keys", *SERVICES]
BIN, IMAGE = os.environ["HEARTH_BIN"], os.environ["HEARTH_IMAGE"]


class Sink:
    """Takes what a collector takes."""

    def __init__(self, address):
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
        self.server.add_insecure_port(address)
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
    """A server with the roles and databases of the script that the compose file mounts."""

    def __init__(self, folder, host, port, script):
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
            rules.write("host all postgres 127.0.0.0/8 trust\nhost all all 127.0.0.0/8 scram-sha-256\n")
        self.control = [f"{binaries}/pg_ctl", "-D", f"{self.data}/db", "-s", "-w", "-l", f"{self.data}/log"]
        options = f"-p {port} -c listen_addresses={host} -c unix_socket_directories=''"
        subprocess.run([*self.control, "-o", options, "start"], **quiet)
        self.client = shutil.which("psql") or f"{binaries}/psql"
        command = [self.client, "--host", host, "--port", str(port), "--username", "postgres", "--set", "ON_ERROR_STOP=1", "--quiet"]
        subprocess.run([*command, "--file", script], check=True, cwd=ROOT)

    def stop(self):
        subprocess.run([*self.control, "-m", "fast", "stop"], check=True, cwd=self.data, **self.user)


def free(port):
    """The port, or another one with a note where somebody has it."""
    for chosen in port, "0":
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(chosen)))
            except OSError:
                continue
            if chosen != port:
                print(f"note: port {port} is taken; {probe.getsockname()[1]} stands for it")
            return str(probe.getsockname()[1])
    raise AssertionError("no port is free")


def seconds(text):
    assert re.fullmatch(r"\d+s", text), text
    return int(text[:-1])


class Compose:
    """What the file says, with this machine's addresses and folders in place of the containers'.

    What is published is reached where it is published. What is not has an address of its own on the loopback device, and the port of the file.
    """

    def __init__(self, folder):
        with open(os.path.join(ROOT, "docker-compose.yml"), encoding="utf-8") as file:
            self.services = yaml.safe_load(file)["services"]
        self.folder = folder
        self.hosts = {name: f"127.77.0.{n}" for n, name in enumerate(self.services, 1)}
        # Where a port of a container is published: on this machine only.
        self.published = {}
        for name, service in self.services.items():
            for port in service.get("ports", []):
                address, here, there = port.split(":")
                assert address == "127.0.0.1", f"{name} is published to others: {port}"
                self.published[name, there] = free(here) if name in OURS else here
        self.running, self.ended, self.postgres, self.sink = {}, set(), None, None

    def address(self, service, port):
        """Where a port of a container is, on this machine."""
        here = self.published.get((service, port))
        return f"localhost:{here}" if here else f"{self.hosts[service]}:{port}"

    def mounted(self, service, path):
        """The folder or file of this machine that stands for a path of a container."""
        for volume in self.services[service].get("volumes", []):
            source, target, *_ = volume.split(":")
            if path == target or path.startswith(f"{target}/"):
                base = os.path.join(ROOT, source) if source.startswith(".") else os.path.join(self.folder, source)
                return base + path[len(target) :]
        raise AssertionError(f"{service} has nothing mounted at {path}")

    def here(self, service, value):
        listen = re.fullmatch(r"0\.0\.0\.0:(\d+)", value)
        if listen:
            return self.address(service, listen[1]).replace("localhost", "127.0.0.1")
        if value.startswith("/"):
            return self.mounted(service, value)
        return re.sub(r"(//|@)([a-z-]+):(\d+)", lambda found: found[1] + self.address(found[2], found[3]), value)

    def program(self, service):
        return os.path.join(BIN, self.services[service]["build"]["args"]["PROGRAM"])

    def environment(self, service):
        given = self.services[service].get("environment", {})
        return {"PATH": os.environ["PATH"], **{name: self.here(service, value) for name, value in given.items()}}

    def command(self, service):
        return [self.program(service), *(self.here(service, word) for word in self.services[service].get("command", []))]

    def up(self, service):
        """Starts a service when what it depends on has come as far as the file asks."""
        if service in self.running or service in self.ended or service not in OURS:
            return
        needs = self.services[service].get("depends_on", {})
        for other, need in needs.items() if isinstance(needs, dict) else [(name, {"condition": "service_started"}) for name in needs]:
            self.up(other)
            getattr(self, need["condition"])(other)
        if service == "postgres":
            script = self.mounted(service, "/docker-entrypoint-initdb.d/hearth.sql")
            self.postgres = Postgres(self.folder, self.hosts[service], "5432", script)
            self.running[service] = None
        else:
            log = open(os.path.join(self.folder, f"{service}.log"), "wb")
            process = subprocess.Popen(self.command(service), env=self.environment(service), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.running[service] = process
        print("started", service)

    def service_started(self, service):
        assert service in self.running, service

    def service_completed_successfully(self, service):
        if service not in self.ended:
            code = self.running.pop(service).wait(timeout=60)
            assert code == 0, f"{service} ended with {code}: {self.log(service)}"
            self.ended.add(service)

    def service_healthy(self, service):
        """Asks as the file says, only more often."""
        check = self.services[service]["healthcheck"]
        kind, program, *words = check["test"]
        assert kind == "CMD", check
        if program == "psql":
            # Within its container the server is at home.
            words = [self.hosts[service] if word == "127.0.0.1" else word for word in words]
            program, environment = self.postgres.client, {"PATH": os.environ["PATH"]}
        else:
            assert program == "/usr/local/bin/program", check
            program, environment = self.program(service), self.environment(service)
        until = time.monotonic() + seconds(check.get("start_period", "0s")) + seconds(check["interval"]) * check["retries"]
        while True:
            process = self.running[service]
            assert process is None or process.poll() is None, f"{service} ended: {self.log(service)}"
            try:
                subprocess.run([program, *words], check=True, env=environment, capture_output=True, timeout=seconds(check["timeout"]))
                return
            except subprocess.SubprocessError:
                pass
            assert time.monotonic() < until, f"{service} does not become healthy: {self.log(service)}"
            time.sleep(0.05)

    def file(self, service, path):
        with open(self.mounted(service, path), "rb") as file:
            return file.read()

    def check_names(self):
        """What cannot run here agrees by its names: the images hold the programs, and what mounted settings call are services of the file."""
        with open(os.path.join(ROOT, "Dockerfile"), encoding="utf-8") as file:
            image = file.read()
        for service, described in self.services.items():
            if "build" in described:
                program = described["build"]["args"]["PROGRAM"]
                assert re.search(rf"target/release/{program}\b(?!-)", image), f"the Dockerfile does not build {program}"
            for volume in described.get("volumes", []):
                source = os.path.join(ROOT, volume.split(":")[0])
                if not volume.startswith("."):
                    continue
                assert os.path.exists(source), f"{service} mounts {source}, which is not there"
                for path in glob.glob(f"{source}/**/*", recursive=True) if os.path.isdir(source) else [source]:
                    if path.endswith((".yml", ".yaml")):
                        with open(path, encoding="utf-8") as file:
                            called = re.findall(r"([a-z][a-z-]*):\d{4,5}\b", file.read())
                        assert set(called) <= set(self.services), f"{path} calls {called}"

    def log(self, service):
        with open(os.path.join(self.folder, f"{service}.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:]

    def down(self):
        """Each process stops by itself when it is told to."""
        for service in SERVICES:
            self.running[service].send_signal(signal.SIGTERM)
        for service in SERVICES:
            code = self.running.pop(service).wait(timeout=30)
            assert code == 0, f"{service} ended with {code}: {self.log(service)}"

    def kill(self):
        for process in self.running.values():
            if process is not None:
                process.kill()
        if self.postgres:
            self.postgres.stop()


class Client:
    def __init__(self, compose):
        image = descriptor_pb2.FileDescriptorSet()
        with open(IMAGE, "rb") as file:
            image.ParseFromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in image.file:
            self.pool.Add(file)
        keys = compose.mounted("keys", "/keys")
        with open(os.path.join(keys, "ca.pem"), "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        urls = {name: compose.environment("hall")[f"HEARTH_{name.upper()}"] for name in SERVICES}
        self.channels = {name: grpc.secure_channel(url.removeprefix("https://"), credentials) for name, url in urls.items()}
        command = [compose.program("keys"), "token", "--data", keys, "--role", "agent"]
        self.token = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()

    def write(self, name, trace, /, **fields):
        service, method = name.split("/")
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        asked, answered = (message_factory.GetMessageClass(m) for m in (found.input_type, found.output_type))
        request = json_format.ParseDict({"request_id": str(uuid.uuid4()), **fields}, asked(), descriptor_pool=self.pool)
        stub = self.channels[service.split(".")[1]].unary_unary(f"/{name}", asked.SerializeToString, answered.FromString)
        sampled = f"00-{trace}-{secrets.token_hex(8)}-01"
        metadata = [("authorization", f"Bearer {self.token}"), ("traceparent", sampled)]
        # Asked again with the same key where a service is not there yet: nothing happens twice.
        for _ in range(9):
            try:
                return stub(request, metadata=metadata, timeout=10)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
                time.sleep(0.5)
        return stub(request, metadata=metadata, timeout=10)


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
        compose.check_names()
        endpoint = compose.environment("archive")["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://")
        listens = f"0.0.0.0:{endpoint.split(':')[1]} ".encode()
        assert listens in compose.file("otel-collector", "/etc/otel-collector.yaml"), f"the collector does not listen at {endpoint}"
        sink = Sink(endpoint)
        try:
            for service in compose.services:
                compose.up(service)
            for service in SERVICES:
                compose.service_healthy(service)
            # The next `up` finds keys.
            kept = compose.file("keys", "/keys/ca.pem")
            subprocess.run(compose.command("keys"), check=True, stdout=subprocess.DEVNULL)
            assert compose.file("keys", "/keys/ca.pem") == kept
            trace = secrets.token_hex(16)
            print("opened", *walk(Client(compose), trace))
            compose.down()
        finally:
            compose.kill()
        through = {(service, name) for found, service, name in sink.spans if found == trace}
        assert ("hall", "hearth.hall.v1.OpeningService/ApplyForOpening") in through, through
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
