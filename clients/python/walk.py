"""A client that is not written in Rust: customer, agreement, bill, payment, over the network.

Nothing is generated: messages come from the image of the contracts, calls go by the name of the method. Needs grpcio and
grpcio-status. HEARTH names the tool, HEARTH_IMAGE the image (`cargo run -p contracts --example image -- FILE`).
"""

import os
import signal
import subprocess
import tempfile
import time
import uuid

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from recompute import recompute

HEARTH = os.environ["HEARTH"]
BRANCH = "河西区"


class Contracts:
    """The messages and methods of the image."""

    def __init__(self, path):
        image = descriptor_pb2.FileDescriptorSet()
        with open(path, "rb") as file:
            image.ParseFromString(file.read())
        # A pool of its own: the default one knows some of these files already.
        self.pool = descriptor_pool.DescriptorPool()
        for file in image.file:
            self.pool.Add(file)

    def method(self, name):
        service, method = name.split("/")
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        return [message_factory.GetMessageClass(m) for m in (found.input_type, found.output_type)]


class Suite:
    """`hearth up` on free ports, with its data in a folder."""

    def __init__(self, folder, contracts):
        self.data, self.contracts, self.tokens = os.path.join(folder, "data"), contracts, {}
        ports = [word for name in ("archive", "hall", "billing", "vendor") for word in (f"--{name}-port", "0")]
        self.process = subprocess.Popen(
            [HEARTH, "up", "--data", self.data, *ports], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8"
        )
        addresses = {}
        for line in self.process.stdout:
            name, _, address = line.strip().partition(" ")
            if name == "Ctrl-C":
                break
            if address.strip().startswith("https://"):
                addresses[name] = address.strip().removeprefix("https://")
        with open(os.path.join(self.data, "keys", "ca.pem"), "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        self.channels = {name: grpc.secure_channel(address, credentials) for name, address in addresses.items()}

    def token(self, role):
        if role not in self.tokens:
            command = [HEARTH, "token", "--role", role, "--subject", f"python-{role}", "--data", self.data]
            self.tokens[role] = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()
        return self.tokens[role]

    def call(self, name, role, /, **fields):
        """Calls `hearth.<service>.v1.<Service>/<Method>` as a role, with the fields of the request as JSON has them."""
        asked, answered = self.contracts.method(name)
        request = json_format.ParseDict(fields, asked(), descriptor_pool=self.contracts.pool)
        stub = self.channels[name.split(".")[1]].unary_unary(
            f"/{name}", request_serializer=asked.SerializeToString, response_deserializer=answered.FromString
        )
        metadata = [("authorization", f"Bearer {self.token(role)}")] if role else []
        return stub(request, metadata=metadata, timeout=10)

    def write(self, name, role, /, **fields):
        """A write with a key of its own."""
        return self.call(name, role, request_id=str(uuid.uuid4()), **fields)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.stdout.read()
        return self.process.wait(timeout=60)


def day(text):
    year, month, number = text.split("-")
    return {"year": int(year), "month": int(month), "day": int(number)}


def eventually(what, look):
    """Asks until there is an answer: events reach the other services a moment later."""
    for _ in range(200):
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about within ten seconds")


def refusal(call):
    """The status of a call that has to fail: code, reason, and the fields that it names."""
    try:
        call()
    except grpc.RpcError as error:
        reason, fields = None, []
        for detail in rpc_status.from_call(error).details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
                reason = info.reason
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                fields = [violation.field for violation in bad.field_violations]
        return error.code(), reason, fields
    raise AssertionError("the call was not refused")


def walk(suite):
    # Customer.
    party = suite.write(
        "hearth.archive.v1.PartyService/RegisterPerson",
        "agent",
        name="王芳",
        id_number="11010519491231002X",
        phone="13812345678",
        branch=BRANCH,
    ).party
    assert party.name == "王*" and party.phone == "138****5678", (party.name, party.phone)
    premises = suite.write(
        "hearth.archive.v1.PremisesService/RegisterPremises", "agent", address="天津市河西区友谊路1号", branch=BRANCH, services=["SERVICE_GAS"]
    ).premises
    account = suite.write("hearth.archive.v1.AccountService/OpenAccount", "agent", party_id=party.party_id, branch=BRANCH).account

    # What is refused says why and where: a wrong check digit, and a caller who may not.
    person = {"name": "王芳", "id_number": "110105194912310021", "phone": "13812345678", "branch": BRANCH}
    refused = refusal(lambda: suite.write("hearth.archive.v1.PartyService/RegisterPerson", "agent", **person))
    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "ID_NUMBER", ["id_number"]), refused
    refused = refusal(lambda: suite.write("hearth.archive.v1.PartyService/RegisterPerson", "cashier", **person))
    assert refused == (grpc.StatusCode.PERMISSION_DENIED, "METHOD_NOT_ALLOWED", []), refused
    refused = refusal(lambda: suite.call("hearth.archive.v1.PartyService/GetParty", None, party_id=party.party_id))
    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING", []), refused

    # Agreement.
    template = suite.write(
        "hearth.archive.v1.TemplateService/PublishTemplate",
        "contract_officer",
        code="GAS_HOUSEHOLD",
        version=1,
        title="居民供用气合同",
        service="SERVICE_GAS",
        effective_date=day("2025-01-01"),
        clauses=[{"clause_no": "1", "title": "价格", "text": "按政府定价执行。", "flagged": True}],
    ).template
    agreement = suite.write(
        "hearth.archive.v1.AgreementService/SignAgreement",
        "agent",
        account_id=account.account_id,
        service_point_id=premises.service_points[0].service_point_id,
        service="SERVICE_GAS",
        template_id=template.template_id,
        template_version=1,
        use_class="living",
        signed_date=day("2025-01-01"),
        sign_method="SIGN_METHOD_PAPER",
        flagged_clauses_acknowledged=["1"],
    ).agreement
    agreement = suite.write(
        "hearth.archive.v1.AgreementService/ActivateAgreement",
        "contract_officer",
        agreement_id=agreement.agreement_id,
        etag=agreement.etag,
        from_date=day("2025-01-01"),
    ).agreement

    # Meter and tariff: 300 m³ at 2.86, the next 300 at 3.36, the rest at 4.11 yuan.
    suite.write(
        "hearth.billing.v1.MeterService/RegisterMeter",
        "district_manager",
        meter_no="PY-1",
        kind="KIND_MECHANICAL",
        model="G2.5",
        qmax={"value": "4"},
        digits=5,
        verified_date=day("2024-12-01"),
        expires_date=day("2034-11-30"),
        branch=BRANCH,
    )
    suite.write(
        "hearth.billing.v1.TariffService/PublishTariff",
        "accountant",
        name="Tianjin residents, piped natural gas",
        commodity="natural_gas",
        from_date=day("2024-09-01"),
        legal_basis="津发改价综〔2020〕311号",
        approved_by="天津市发展和改革委员会",
        published_date=day("2024-08-30"),
        tier_year_start_month=1,
        tier_year_start_day=1,
        currency_code="CNY",
        classes=[
            {
                "use_class": "living",
                "tiers": [
                    {"up_to": {"value": "300"}, "unit_price": {"value": "2.86"}},
                    {"up_to": {"value": "600"}, "unit_price": {"value": "3.36"}},
                    {"unit_price": {"value": "4.11"}},
                ],
            }
        ],
    )

    def supply():
        try:
            return suite.call("hearth.billing.v1.SupplyService/GetSupply", "agent", agreement_id=agreement.agreement_id).supply
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            return None

    in_force = suite.contracts.pool.FindEnumTypeByName("hearth.billing.v1.Supply.State").values_by_name["STATE_IN_FORCE"].number
    eventually("the agreement in billing", lambda: (found := supply()) and found.state == in_force)
    suite.write(
        "hearth.billing.v1.MeterService/InstallMeter",
        "district_manager",
        meter_no="PY-1",
        agreement_id=agreement.agreement_id,
        from_date=day("2025-01-01"),
        initial_index={"value": "0"},
        photo_file="photo-1",
        signed=True,
    )

    # Bill: 50 m³ × 2.86 = 143.00 yuan.
    suite.write("hearth.billing.v1.ReadingService/RecordReading", "reader", meter_no="PY-1", read_time="2025-01-31T09:00:00+08:00", index="50", source="reader")
    run = suite.write("hearth.billing.v1.BillRunService/StartBillRun", "accountant", year=2025, month=1, branch=BRANCH, due_days=15)
    done = suite.contracts.pool.FindEnumTypeByName("hearth.billing.v1.BillRun.State").values_by_name["STATE_DONE"].number

    def finished():
        found = suite.call("hearth.billing.v1.BillRunService/GetBillRun", "accountant", run_id=run.run_id).run
        return found if found.state == done else None

    figures = eventually("the end of the bill run", finished)
    assert (figures.produced, figures.amount.minor_units) == (1, 14300), figures
    bills = suite.call("hearth.billing.v1.BillService/ListBills", "cashier", account_id=account.account_id).bills
    assert len(bills) == 1 and bills[0].amount.minor_units == 14300 and bills[0].volume.value in ("50", "50.000"), bills

    # The amount follows from the explanation alone, step by step.
    explained = suite.call("hearth.billing.v1.BillService/ExplainBill", "cashier", bill_id=bills[0].bill_id).explanation
    assert recompute(explained) * 100 == bills[0].amount.minor_units, explained.content

    # Payment: taken once, however often it is sent; what is too much is kept as prepayment.
    payment = {
        "request_id": str(uuid.uuid4()),
        "account_id": account.account_id,
        "amount": {"currency_code": "CNY", "minor_units": 15000},
        "channel": "COUNTER",
        "channel_reference": "R-1",
    }
    first = suite.call("hearth.billing.v1.PaymentService/TakePayment", "cashier", **payment)
    again = suite.call("hearth.billing.v1.PaymentService/TakePayment", "cashier", **payment)
    assert first == again and first.payment.prepayment.minor_units == 700, (first, again)
    assert [a.amount.minor_units for a in first.payment.allocations] == [14300], first
    balance = suite.call("hearth.billing.v1.LedgerService/GetBalance", "cashier", account_id=account.account_id).balance
    assert (balance.receivable.minor_units, balance.prepayment.minor_units) == (0, 700), balance
    payment["amount"] = {"currency_code": "CNY", "minor_units": 20000}
    refused = refusal(lambda: suite.call("hearth.billing.v1.PaymentService/TakePayment", "cashier", **payment))
    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED", ["request_id"]), refused
    print(f"customer, agreement {agreement.agreement_no}, bill {bills[0].bill_no} of 143.00, receipt {first.payment.receipt_no}: as expected")


def main():
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(folder, Contracts(os.environ["HEARTH_IMAGE"]))
        try:
            walk(suite)
        finally:
            code = suite.stop()
    assert code == 0, f"hearth up ended with {code}"


main()
