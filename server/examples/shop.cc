// shop: an application with settings, metrics, hooks and middleware of its own.
//
//   cat > shop.yaml <<END
//   application: {currency: EUR, payment: {key: "${file:payment.key}"}}
//   http:
//     middleware:
//       - own: {name: stamp, options: {field: X-Shop, value: north}}
//     routes:
//       - {method: POST, path: "/orders/{kind}", function: order}
//       - {path: /journal, function: journal}
//   END
//   shop --config=shop.yaml &
//   curl -i -d 3 http://127.0.0.1:8090/orders/book
//   curl http://127.0.0.1:8092/metrics | grep shop_
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/application.h"
#include "server/log.h"
#include "server/main.h"

namespace {

// What a worker has open. main()'s is copied by fork(2), so each worker has one of its own, and its
// fibers never run at the same time: there is nothing to lock.
struct Journal {
  bool open = false;
  std::vector<std::string> lines;
};

struct ShopSettings {
  explicit ShopSettings(grove::SettingsSchema& schema)
      : currency(schema.Text(
            "currency",
            {.description = "of all prices", .default_value = "EUR", .choices = {"EUR", "CHF"}})),
        order_max(schema.Integer(
            "order_max",
            {.description = "pieces in one order", .default_value = 10, .min = 1, .max = 1000})),
        key(schema.Text("payment.key", {.description = "of the payment service", .secret = true})) {
  }

  const grove::Setting<std::string> currency;
  const grove::Setting<int64_t> order_max;
  const grove::Setting<std::string> key;
};

struct ShopMetrics {
  explicit ShopMetrics(grove::OwnMetrics& metrics)
      : orders(metrics.Counter({.name = "shop_orders_total",
                                .help = "Orders taken.",
                                .labels = {"kind"},
                                .series_max = 3})),
        journal_lines(metrics.Gauge(
            {.name = "shop_journal_lines", .help = "Lines in the workers' journals now."})),
        pieces(metrics.Histogram({.name = "shop_order_pieces",
                                  .help = "Pieces in an order.",
                                  .buckets = {1, 5, 10, 100}})) {}

  const grove::CounterMetric orders;
  const grove::GaugeMetric journal_lines;
  const grove::HistogramMetric pieces;
};

struct Shop {
  explicit Shop(grove::Application& application)
      : settings(application.settings()), metrics(application.metrics()) {}

  const ShopSettings settings;
  const ShopMetrics metrics;
  Journal journal;
};

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

int main(int argc, char** argv) {
  grove::Application application("shop");
  Shop shop(application);
  application.settings().Check([&shop](const grove::Settings& settings) {
    if (settings[shop.settings.currency] == "CHF" && settings[shop.settings.order_max] > 100) {
      return absl::InvalidArgumentError("order_max is at most 100 in CHF");
    }
    return absl::OkStatus();
  });
  application.AddHandlerFactory(
      "order", [&shop](grove::WorkerServices& services) { return OrderHandler(shop, services); });
  application.AddHandlerFactory("journal",
                                [&shop](grove::WorkerServices&) { return JournalHandler(shop); });
  application.AddRoute("POST", "/orders/{kind}", "order");
  application.AddRoute("GET", "/journal", "journal");
  application.AddFunctionFactory(
      "shop.pay", [&shop](grove::WorkerServices& services) { return PayFunction(shop, services); },
      {.description = "charges an amount", .input_example = "12"});
  AddStamp(application);
  AddHooks(application, shop);
  application.AddValue(
      "journal", "the lines of this worker's journal that have a word, or all",
      [&shop](grove::WorkerServices&, std::string_view word) -> absl::StatusOr<std::string> {
        std::string found;
        for (const std::string& line : shop.journal.lines) {
          if (line.find(word) != std::string::npos) absl::StrAppend(&found, line, "\n");
        }
        if (found.empty()) return absl::NotFoundError("there are none");
        return found;
      });
  return grove::Main(argc, argv, application);
}
