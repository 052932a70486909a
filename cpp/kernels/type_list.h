// A list of types, and the table that it becomes.
#pragma once

#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {

template <typename... Types>
struct TypeList {
  static constexpr Index kCount = sizeof...(Types);
};

namespace {  // a table belongs to the file that makes it

/// Maker::row<Type>() for every type of the list, in order.
template <typename Maker, typename List>
struct Table;

template <typename Maker, typename... Types>
struct Table<Maker, TypeList<Types...>> {
  static constexpr typename Maker::Row kRows[] = {Maker::template row<Types>()...};
};

}  // namespace

}  // namespace initcore::INITCORE_ISA
