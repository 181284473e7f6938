#include "server/examples/shop_application.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/log.h"

namespace grove::examples {
namespace {

// POST /orders/{kind}: the body is how many.
grove::http::Handler OrderHandler(Shop& shop, grove::WorkerServices& services) {
  return [&shop, &services](grove::http::Request& request, grove::http::Response& response) {
    const absl::StatusOr<std::string> body = request.ReadWholeBody();
    if (!body.ok()) return body.status();
    int64_t pieces = 0;
    const int64_t most = services.settings[shop.settings.order_max];
    if (!absl::SimpleAtoi(*body, &pieces) || pieces < 1 || pieces > most) {
      return absl::InvalidArgumentError(absl::StrCat("want 1 to ", most, " pieces\n"));
    }
    const std::string kind(*request.Param("kind"));
    shop.metrics.orders.With({kind}).Add();
    shop.metrics.pieces.Observe(static_cast<double>(pieces));
    shop.journal.lines.push_back(absl::StrCat(pieces, " ", kind));
    shop.metrics.journal_lines.Set(static_cast<double>(shop.journal.lines.size()));
    return response.Send(
        200, "text/plain",
        absl::StrCat(pieces, " ", kind, ", in ", services.settings[shop.settings.currency], "\n"));
  };
}

// GET /journal: what this worker has taken.
grove::http::Handler JournalHandler(Shop& shop) {
  return [&shop](grove::http::Request&, grove::http::Response& response) {
    return response.Send(200, "text/plain", absl::StrJoin(shop.journal.lines, "\n"));
  };
}

// A task: charges what its input says, with an account that each worker opens once.
grove::Function PayFunction(Shop& shop, grove::WorkerServices& services) {
  const std::string account = absl::StrCat("account ", services.settings[shop.settings.key].size(),
                                           " of worker ", services.worker);
  return [account](grove::TaskContext& context) -> absl::StatusOr<grove::Output> {
    return grove::Output{absl::StrCat(account, " pays ", std::string(context.input())),
                         "text/plain"};
  };
}

// Sets a field of every answer.
void AddStamp(grove::Application& application) {
  grove::SettingsSchema options;
  const auto field = options.Text("field", {.description = "of the answer"});
  const auto value = options.Text("value", {.description = "what it says", .default_value = "1"});
  application.AddMiddleware(
      "stamp",
      [=](grove::WorkerServices&,
          const grove::Settings& settings) -> absl::StatusOr<grove::http::Middleware> {
        const std::string name = settings[field];
        if (name.find(' ') != std::string::npos) {
          return absl::InvalidArgumentError(absl::StrCat("'", name, "' is no field's name"));
        }
        return [name, text = settings[value]](grove::http::Request& request,
                                              grove::http::Response& response,
                                              const grove::http::Handler& next) {
          response.AddAlways(name, text);
          return next(request, response);
        };
      },
      std::move(options));
}

void AddHooks(grove::Application& application, Shop& shop) {
  application.OnStart("journal", [&shop](grove::WorkerServices& services) {
    if (services.settings[shop.settings.key] == "wrong") {
      return absl::PermissionDeniedError("the payment service does not know the key");
    }
    shop.journal.open = true;
    grove::Log(grove::LogLevel::kInfo, "journal opened", {{"worker", services.worker}});
    return absl::OkStatus();
  });
  application.OnStop("journal", [&shop](grove::WorkerServices& services) {
    shop.journal.open = false;
    grove::Log(grove::LogLevel::kInfo, "journal closed",
               {{"worker", services.worker}, {"lines", shop.journal.lines.size()}});
    return absl::OkStatus();
  });
  application.OnReload(
      "currency", [&shop](grove::WorkerServices& services, const grove::Settings& now) {
        if (now[shop.settings.currency] == services.settings[shop.settings.currency] ||
            shop.journal.lines.empty()) {
          return absl::OkStatus();
        }
        return absl::FailedPreconditionError("there are orders in the old currency");
      });
}

}  // namespace

Shop::Shop(grove::Application& application)
    : settings(application.settings()), metrics(application.metrics()) {
  application.settings().Check([this](const grove::Settings& settings) {
    if (settings[this->settings.currency] == "CHF" && settings[this->settings.order_max] > 100) {
      return absl::InvalidArgumentError("order_max is at most 100 in CHF");
    }
    return absl::OkStatus();
  });
  application.AddHandlerFactory(
      "order", [this](grove::WorkerServices& services) { return OrderHandler(*this, services); });
  application.AddHandlerFactory("journal",
                                [this](grove::WorkerServices&) { return JournalHandler(*this); });
  application.AddRoute("POST", "/orders/{kind}", "order");
  application.AddRoute("GET", "/journal", "journal");
  application.AddFunctionFactory(
      "shop.pay", [this](grove::WorkerServices& services) { return PayFunction(*this, services); },
      {.description = "charges an amount", .input_example = "12"});
  AddStamp(application);
  AddHooks(application, *this);
  application.AddValue(
      "journal", "the lines of this worker's journal that have a word, or all",
      [this](grove::WorkerServices&, std::string_view word) -> absl::StatusOr<std::string> {
        std::string found;
        for (const std::string& line : journal.lines) {
          if (line.find(word) != std::string::npos) absl::StrAppend(&found, line, "\n");
        }
        if (found.empty()) return absl::NotFoundError("there are none");
        return found;
      });
}

}  // namespace grove::examples
