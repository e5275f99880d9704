"""The model card of the demo's mortgage model: what tier 1 asks for, in its author's words."""

from __future__ import annotations

from typing import Final

MORTGAGE: Final = {
    "summary": (
        "Gradient-boosted trees that estimate the probability that a mortgage application is"
        " approved, from ratios and credit history. **First version.**"
    ),
    "intended_use": (
        "Supports a loan officer, who decides. It orders a queue; it approves and denies nothing."
    ),
    "limits": (
        "- One metropolitan area, one year: Boston, 1990.\n"
        "- Its labels are what banks decided then, not who paid back.\n"
        "- Few applications of some groups: intervals there are wide."
    ),
    "out_of_scope": "Automatic denial; pricing; any decision about people outside this market.",
    "training_data": (
        "Every other application of the Boston HMDA study of 1990. The other half judges it."
        " *Race is not an input.* It is kept beside the data, so that fairness can be measured."
    ),
    "evaluation": (
        "AUC and calibration on the judged half, and the ratio of approval rates by race. The file"
        " has no dates, so nothing here shows how it would hold a year later."
    ),
    "ethics": (
        "A wrong low score delays or discourages a person's home. It learns from decisions that"
        " are known to have differed by race, and can carry that on without seeing race."
    ),
    "mitigation": (
        "None yet beyond leaving race out, which is not enough: that is what the fairness gate is"
        " there to show."
    ),
    "oversight": "An officer sees every application; scores are hints and are never shown alone.",
    "licence_code": "Apache-2.0",
    "licence_data": "Public data of the United States' Home Mortgage Disclosure Act, as published.",
    "encryption": "The artifact lies unencrypted on this machine: it is a demonstration.",
    "contacts": "Jun, who made it: jun@demo.example.",
}
