#include "server/examples/billing.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/functions/fetch.h"

namespace grove::examples {

using grove::functions::FetchMethod;
using grove::functions::FetchResult;

Billing::Billing(grove::Application& application)
    : currency_(application.settings().Text(
          "currency", {.description = "of all invoices", .default_value = "EUR"})) {
  application.AddHandlerFactory("invoice", [this](grove::WorkerServices& services) {
    return [this, &services](grove::http::Request& request, grove::http::Response& response) {
      return TakeInvoice(services, request, response);
    };
  });
  application.AddRoute("POST", "/invoices", "invoice");
  application.Handle("GET", "/rate",
                     [this](grove::http::Request&, grove::http::Response& response) {
                       return ShowRate(response);
                     });
  application.AddFunction("billing.charge",
                          [this](grove::TaskContext& context) { return Charge(context); });
  application.AddFunction("billing.report", [this](grove::TaskContext&) { return Report(); });
  application.AddPeriodic("rate", absl::Minutes(1), [this](grove::WorkerServices& services) {
    return RefreshRate(services);
  });
}

// POST /invoices: the body is the amount.
absl::Status Billing::TakeInvoice(grove::WorkerServices& services, grove::http::Request& request,
                                  grove::http::Response& response) {
  const absl::StatusOr<std::string> amount = request.ReadWholeBody(100);
  if (!amount.ok()) return amount.status();
  int64_t cents = 0;
  if (!absl::SimpleAtoi(*amount, &cents) || cents < 1) {
    return absl::InvalidArgumentError("want an amount in cents\n");
  }
  const absl::StatusOr<std::string> task = services.tasks.Spawn(
      {.function = "billing.charge", .input = *amount, .content_type = "text/plain"});
  if (!task.ok()) return task.status();
  return response.Send(202, "text/plain", *task + "\n");
}

// GET /rate
absl::Status Billing::ShowRate(grove::http::Response& response) const {
  if (rate_.empty()) return absl::UnavailableError("the rate is not known yet\n");
  return response.Send(200, "text/plain", rate_);
}

// A task: asks the payment service, and comes again when that wants it to.
absl::StatusOr<grove::Output> Billing::Charge(grove::TaskContext& context) {
  const std::string currency = context.services().settings[currency_];
  const absl::StatusOr<FetchResult> answer = context.services().fetch.Fetch(
      {.url = "https://pay.example/charges",
       .method = FetchMethod::kPost,
       .body = absl::StrCat(std::string(context.input()), " ", currency)});
  if (!answer.ok()) return answer.status();
  if (answer->status == 429) return grove::RetryAfter(absl::Minutes(5), "the service is busy");
  if (answer->status != 201) {
    return absl::UnavailableError(absl::StrCat("the payment service says ", answer->status));
  }
  ++charged_;
  return grove::Output{answer->body, "text/plain"};
}

// A task of the nightly schedule.
absl::StatusOr<grove::Output> Billing::Report() {
  return grove::Output{absl::StrCat(std::exchange(charged_, 0), " charges"), "text/plain"};
}

// Every minute: an answer that does not come leaves the rate of before.
absl::Status Billing::RefreshRate(grove::WorkerServices& services) {
  absl::StatusOr<FetchResult> answer = services.fetch.Fetch({.url = "https://rates.example/eur"});
  if (!answer.ok()) return answer.status();
  if (answer->status == 200) rate_ = std::move(answer->body);
  return absl::OkStatus();
}

}  // namespace grove::examples
