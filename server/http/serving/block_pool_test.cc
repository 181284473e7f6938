#include "server/http/serving/block_pool.h"

#include <gtest/gtest.h>

namespace grove::http {
namespace {

TEST(BlockPool, LendsTheBlockThatCameBackLast) {
  BlockPool pool;
  BlockPool::Block first = pool.Take();
  BlockPool::Block second = pool.Take();
  const char* const last = second.get();
  pool.Give(std::move(first), BlockPool::kBlockBytes);
  pool.Give(std::move(second), BlockPool::kBlockBytes);
  EXPECT_EQ(pool.Take().get(), last);
}

TEST(BlockPool, KeepsNoGrownBuffer) {
  BlockPool pool;
  pool.Give(BlockPool::Block(new char[2 * BlockPool::kBlockBytes]), 2 * BlockPool::kBlockBytes);
  EXPECT_EQ(pool.kept(), 0);
}

TEST(BlockPool, KeepsNoMoreThanItsBound) {
  BlockPool pool;
  for (size_t i = 0; i < BlockPool::kKeptMax + 10; ++i) {
    pool.Give(BlockPool::Block(new char[BlockPool::kBlockBytes]), BlockPool::kBlockBytes);
  }
  EXPECT_EQ(pool.kept(), BlockPool::kKeptMax);
}

}  // namespace
}  // namespace grove::http
