"""The demo practice: the five archetype journeys, and people with months of history in them."""
