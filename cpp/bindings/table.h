// The tables of the kernels as bindings use them: a row by its number, and what Python is told of each row.
#pragma once

#include "bindings/array.h"
#include "kernels/parameters.h"

namespace initcore {

/// Row `number` of a table of `kind`. Operations of a plan call it in every step: words are put together only
/// where they are needed.
template <typename Table>
const auto& row_of(const Table& table, Index number, const char* kind) {
  if (number < 0 || number >= table.count)
    throw py::value_error("no " + std::string(kind) + " has number " + std::to_string(number));
  return table.rows[number];
}

/// A list of dicts, one for each row: number, name, what `tell(entry, row)` adds.
template <typename Table, typename Tell>
py::list listed(const Table& table, const Tell& tell) {
  py::list result;
  for (Index i = 0; i < table.count; ++i) {
    py::dict entry;
    entry["number"] = i;
    entry["name"] = table.rows[i].name;
    tell(entry, table.rows[i]);
    result.append(entry);
  }
  return result;
}

/// Formula, source and parameters of a row; each parameter is its default, its least value, and whether it
/// must lie above that.
template <typename Row>
void tell_formula(py::dict& entry, const Row& row) {
  py::dict parameters;
  for (const Parameter& p : row.parameters)
    if (p.name) parameters[p.name] = py::make_tuple(p.value, p.low, p.above);
  entry["formula"] = row.formula;
  entry["source"] = row.source;
  entry["parameters"] = parameters;
}

}  // namespace initcore
