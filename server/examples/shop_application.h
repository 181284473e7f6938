// What shop is made of: settings, metrics and a journal, and the handlers, functions, hooks and
// middleware that use them. shop.cc runs it, shop_application_test.cc tests it.
#ifndef GROVE_SERVER_EXAMPLES_SHOP_APPLICATION_H_
#define GROVE_SERVER_EXAMPLES_SHOP_APPLICATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/application.h"

namespace grove::examples {

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

// Registers all that it has; must outlive the application's run.
struct Shop {
  explicit Shop(grove::Application& application);
  Shop(const Shop&) = delete;
  Shop& operator=(const Shop&) = delete;

  const ShopSettings settings;
  const ShopMetrics metrics;
  Journal journal;
};

}  // namespace grove::examples

#endif  // GROVE_SERVER_EXAMPLES_SHOP_APPLICATION_H_
