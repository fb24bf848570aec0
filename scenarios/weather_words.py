"""A weather in words, for captions."""

from __future__ import annotations

from collections.abc import Mapping


def weather_words(weather: Mapping[str, float]) -> str:
    """A weather in two or three words, such as "rain, night"; fields as in `WEATHER_FIELDS`."""
    sun, rain, fog = (weather[name] for name in ("sun_altitude_angle", "precipitation", "fog_density"))
    sky = "clear" if weather["cloudiness"] < 40.0 else "cloudy" if weather["cloudiness"] < 75.0 else "overcast"
    if rain >= 15.0:
        sky = "heavy rain" if rain >= 75.0 else "rain"
    words = [sky]
    if rain < 15.0 and max(weather["wetness"], weather["precipitation_deposits"]) >= 40.0:
        words.append("wet road")
    if fog >= 25.0:
        words.append("fog")
    words.append("night" if sun < 0.0 else "low sun" if sun < 20.0 else "day")
    return ", ".join(words)
